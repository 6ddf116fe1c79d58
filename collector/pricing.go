package collector

import (
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// Pricing looks pools up: the model and its peaks in the catalogue, the class in the registry. A device whose model the
// catalogue does not know keeps the name its vendor's tool prints, and no peaks: it is counted, and unpriced.
func Pricing(cat *catalog.Catalog, reg *registry.Registry) fleet.Pricing {
	return fleet.Pricing{Catalogue: cat.Version(), Pool: func(s fleet.Source) capacity.Pool {
		p := capacity.Pool{Centre: s.Centre, Cluster: s.Cluster, Kind: s.Kind, Vendor: s.Vendor, Model: s.Name}
		p.Class, p.Basis = reg.Cluster(s.Centre, s.Cluster, s.Kind)
		if s.Kind == telemetry.CPU {
			m, priced := cat.CPU(s.CPU)
			p.Vendor, p.Model, p.Domestic = m.Vendor, m.ID, m.Domestic
			if _, counted := s.CPU.Cores.Get(); priced && counted {
				p.Peaks = m.PerCore
			}
			return p
		}
		if m, ok := cat.LookupMemory(s.Vendor, s.Name, s.Memory); ok {
			p.Vendor, p.Model, p.Domestic, p.Peaks, p.Memory = m.Vendor, m.ID, m.Domestic, m.Peaks, m.Memory
		}
		return p
	}}
}
