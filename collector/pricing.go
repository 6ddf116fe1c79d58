package collector

import (
	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/collector/fleet"
	"github.com/exameter/exameter/collector/registry"
	"github.com/exameter/exameter/telemetry"
)

// Pricing looks pools up: the model and its peaks in the catalogue, class and identifiers in the registry. A device whose model the
// catalogue does not know keeps the name its vendor's tool prints, and no peaks: it is counted, and unpriced.
func Pricing(cat *catalog.Catalog, reg *registry.Registry) fleet.Pricing {
	return fleet.Pricing{Catalogue: cat.Version(), Registry: reg.Revision, Pool: func(s fleet.Source) capacity.Pool {
		p := capacity.Pool{Centre: s.Centre, Cluster: s.Cluster, Kind: s.Kind, Vendor: s.Vendor, Model: s.Name}
		p.Class, p.Basis = reg.Cluster(s.Centre, s.Cluster, s.Kind)
		p.CentreIdentifier, p.Identifier = reg.Identifiers(s.Centre, s.Cluster)
		if s.Kind == telemetry.CPU {
			m, priced := cat.CPU(s.CPU)
			p.Vendor, p.Model, p.Domestic, p.Entry = m.Vendor, m.ID, m.Domestic, m.Entry
			if _, counted := s.CPU.Cores.Get(); priced && counted {
				p.Peaks = m.PerCore
			}
			return p
		}
		if m, ok := cat.LookupMemory(s.Vendor, s.Name, s.Memory); ok {
			p.Vendor, p.Model, p.Domestic, p.Peaks, p.Memory, p.Entry = m.Vendor, m.ID, m.Domestic, m.Peaks, m.Memory, m.ID
		}
		return p
	}}
}
