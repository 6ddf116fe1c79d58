package exporter

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/exameter/exameter/internal/config"
)

//go:embed profiles/*.yaml
var files embed.FS

// builtIn is the origin of profiles that come with the agent.
const builtIn = "built in"

// maxProfiles bounds the profiles of a directory.
const maxProfiles = 256

// Profiles are the profiles known, by name.
type Profiles []*Profile

// BuiltIn returns the profiles that come with the agent. They are read once.
var BuiltIn = sync.OnceValue(func() Profiles {
	entries, err := files.ReadDir("profiles")
	if err != nil {
		panic(err) // an embedded folder
	}
	var out Profiles
	for _, e := range entries {
		f, err := files.Open("profiles/" + e.Name())
		if err != nil {
			panic(err)
		}
		p := &Profile{origin: builtIn}
		err = config.Read(f, e.Name(), p)
		if err == nil && e.Name() != p.Name+".yaml" {
			err = fmt.Errorf("%s: is named %q", e.Name(), p.Name)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			panic(err) // a test reads them all
		}
		out = append(out, p)
	}
	return out
})

// LoadProfiles returns the built-in profiles with those of a directory's *.yaml files, each of which replaces the
// built-in one of its name, or adds one. An empty path is no directory. Errors name file and line.
func LoadProfiles(dir string) (Profiles, error) {
	out := slices.Clone(BuiltIn())
	if dir == "" {
		return out, nil
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("read the profiles: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("read the profiles: %s is not a directory", dir)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the profiles of %q: %w", dir, err)
	}
	if len(paths) > maxProfiles {
		return nil, fmt.Errorf("%s holds %d profiles, more than %d", dir, len(paths), maxProfiles)
	}
	for _, path := range paths {
		p := &Profile{origin: path}
		if err := config.Load(path, p); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(out, func(o *Profile) bool { return o.Name == p.Name })
		switch {
		case i < 0:
			out = append(out, p)
		case out[i].origin != builtIn:
			return nil, fmt.Errorf("%s: profile %q stands in %s already", path, p.Name, out[i].origin)
		default:
			out[i] = p
		}
	}
	return out, nil
}

// Named returns the profile of a name.
func (l Profiles) Named(name string) (*Profile, error) {
	var known []string
	for _, p := range l {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return nil, fmt.Errorf("there is no profile %q; there are %s", name, strings.Join(known, ", "))
}

// metrics lists all names that any of the profiles reads, prefixes in front.
func (l Profiles) metrics() map[string]bool {
	out := map[string]bool{}
	for _, p := range l {
		for _, name := range p.wanted() {
			for _, prefix := range p.Prefixes {
				out[prefix+name] = true
			}
		}
	}
	return out
}

// fit is a profile that fits what is served.
type fit struct {
	*Profile
	prefix string
	metric string // by which it was recognised
	series int
}

// detect finds the profile that fits what is served: by its metrics and the labels on them, never by the port. An
// operator's profile is taken before a built-in one; two that fit alike are told in the error.
func (l Profiles) detect(served []series, believed bool) (fit, error) {
	var best []fit
	for _, p := range l {
		for _, prefix := range p.Prefixes {
			f := p.fits(prefix, served, believed)
			switch {
			case f.series == 0:
			case len(best) == 0 || f.better(best[0]):
				best = []fit{f}
			case !best[0].better(f):
				best = append(best, f)
			}
		}
	}
	if len(best) == 1 {
		return best[0], nil
	}
	if len(best) > 1 {
		return fit{}, fmt.Errorf("what is served fits the profiles %s and %s alike: name one as profile", best[0].Name, best[1].Name)
	}
	return fit{}, l.unknown(served)
}

// better says whether a fit is to be preferred.
func (f fit) better(g fit) bool {
	if a, b := f.origin != builtIn, g.origin != builtIn; a != b {
		return a
	}
	return f.series > g.series
}

// fits counts the series by which a profile recognises an exporter.
func (p *Profile) fits(prefix string, served []series, believed bool) fit {
	f := fit{Profile: p, prefix: prefix}
	for i := range served {
		s := &served[i]
		name, ok := strings.CutPrefix(s.name, prefix)
		if !ok || !slices.Contains(p.Detect.Metrics, name) || !p.recognises(s, believed) {
			continue
		}
		f.series++
		if f.metric == "" {
			f.metric = s.name
		}
	}
	return f
}

// recognises says whether the labels of a series are of this profile's vendor. One that an operator named is believed
// where there is no label that could say otherwise.
func (p *Profile) recognises(s *series, believed bool) bool {
	for i := range p.Detect.Labels {
		m := &p.Detect.Labels[i]
		if v := s.get(m.Label); v != "" {
			return m.re.MatchString(v)
		}
	}
	return believed || len(p.Detect.Labels) == 0
}

// unknown words that no profile fits, with what would help to find one.
func (l Profiles) unknown(served []series) error {
	if len(served) == 0 {
		if len(l) == 1 {
			return fmt.Errorf("serves none of the metrics of profile %s", l[0].Name)
		}
		return errors.New("serves none of the metrics that a profile reads")
	}
	for i := range served {
		for _, p := range l {
			for j := range p.Detect.Labels {
				if v := served[i].get(p.Detect.Labels[j].Label); v != "" {
					return fmt.Errorf("serves %s for %s %q, which no profile knows", served[i].name, p.Detect.Labels[j].Label, v)
				}
			}
		}
	}
	return fmt.Errorf("serves %s, by which no profile recognises it", served[0].name)
}
