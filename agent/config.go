// Package agent is the program on every host: it reads the hardware, decides what each device is doing and reports it
// to Kafka.
package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/exameter/exameter/agent/state"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
	"github.com/exameter/exameter/telemetry"
)

// Config is the agent's configuration, as packaging/config/agent.yaml documents it.
type Config struct {
	Centre    string        `yaml:"centre"`
	Cluster   string        `yaml:"cluster"`
	Host      Host          `yaml:"host"`
	Kafka     broker.Config `yaml:"kafka"`
	Intervals Intervals     `yaml:"intervals"`
	State     State         `yaml:"state"`
	Sources   Sources       `yaml:"sources"`
	Queue     Queue         `yaml:"queue"`
	Spool     Spool         `yaml:"spool"`
	Paths     Paths         `yaml:"paths"`
	Log       Log           `yaml:"log"`
}

// Host overrides how the host calls itself.
type Host struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
}

// Intervals say how often the agent does what.
type Intervals struct {
	Sample    config.Duration `yaml:"sample"`
	Report    config.Duration `yaml:"report"`
	Inventory config.Duration `yaml:"inventory"`
}

// State sets the rules that tell busy from free.
type State struct {
	MemoryFloor      config.Size     `yaml:"memory_floor"`
	UtilisationFloor config.Percent  `yaml:"utilisation_floor"`
	UtilisationHold  config.Duration `yaml:"utilisation_hold"`
}

// Sources choose what is read.
type Sources struct {
	NVML      NVML       `yaml:"nvml"`
	Exporters []Exporter `yaml:"exporters"`
	Profiles  string     `yaml:"profiles"` // directory of profiles beside the built-in ones
	DRM       DRM        `yaml:"drm"`
	Power     Power      `yaml:"power"`
}

// NVML reads cards through a library that speaks NVIDIA's management interface.
type NVML struct {
	Enabled string `yaml:"enabled"` // auto, true or false
	Library string `yaml:"library"`
	Vendor  string `yaml:"vendor"`
	// Others are libraries of other vendors with the same functions, read beside it.
	Others []Library `yaml:"others"`
}

// Power reads the power meters of the host.
type Power struct {
	Enabled bool `yaml:"enabled"`
}

// Queue bounds what waits while Kafka is out of reach.
type Queue struct {
	Records int64       `yaml:"records"`
	Bytes   config.Size `yaml:"bytes"`
}

// Spool bounds what waits on disk while Kafka is out of reach, in a folder of paths.state.
type Spool struct {
	Bytes config.Size     `yaml:"bytes"` // 0B: nothing waits on disk
	Age   config.Duration `yaml:"age"`
	Pace  float64         `yaml:"pace"` // records a second, once Kafka is back
}

// Paths say where things are.
type Paths struct {
	Proc  string `yaml:"proc"`
	Sys   string `yaml:"sys"`
	Etc   string `yaml:"etc"`
	State string `yaml:"state"`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// DefaultConfig returns the configuration where nothing is configured. The centre and the brokers have no default.
func DefaultConfig() Config {
	r := state.DefaultRules()
	return Config{
		Cluster:   "default",
		Intervals: Intervals{Sample: config.Duration(time.Second), Report: config.Duration(10 * time.Second), Inventory: config.Duration(time.Hour)},
		State: State{
			MemoryFloor: config.Size(r.MemoryFloor), UtilisationFloor: config.Percent(r.UtilisationFloor),
			UtilisationHold: config.Duration(r.UtilisationHold),
		},
		Sources: Sources{NVML: NVML{Enabled: "auto", Vendor: "nvidia", Others: []Library{}}, DRM: DRM{Enabled: "auto"}, Power: Power{Enabled: true}},
		Queue:   Queue{Records: 4096, Bytes: 4 << 20},
		Spool:   Spool{Bytes: 64 << 20, Age: config.Duration(24 * time.Hour), Pace: 2},
		Paths:   Paths{Proc: "/proc", Sys: "/sys", Etc: "/etc", State: state.DefaultDir},
		Log:     Log{Level: "info", Format: "text"},
	}
}

// Bounds of what can be configured.
const (
	minSample    = 100 * time.Millisecond
	maxSample    = time.Minute
	maxReport    = 5 * time.Minute
	minInventory = time.Minute
	maxInventory = 24 * time.Hour
	maxHold      = time.Hour
	minQueue     = 1 << 20
	maxQueue     = 1 << 30
	minSpool     = 1 << 20
	maxSpool     = 64 << 30
	minSpoolAge  = time.Minute
	maxSpoolAge  = 30 * 24 * time.Hour
	minPace      = 0.1
	maxPace      = 1000
)

// Validate refuses what cannot work, naming the key.
func (c *Config) Validate() error {
	if c.Centre == "" {
		return config.Errorf("centre", "is missing: name the centre that this host belongs to")
	}
	if err := telemetry.ValidID(c.Centre); err != nil {
		return config.Errorf("centre", "%w", err)
	}
	if err := telemetry.ValidID(c.Cluster); err != nil {
		return config.Errorf("cluster", "%w", err)
	}
	if err := c.Host.validate(); err != nil {
		return err
	}
	if err := c.Kafka.Validate(); err != nil {
		return err
	}
	return errFirst(c.Intervals.validate, c.State.validate, c.Sources.validate, c.Sources.validateExporters, c.Queue.validate, c.Spool.validate, c.Paths.validate, c.Log.validate)
}

// errFirst runs the checks until one finds something.
func errFirst(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) validate() error {
	for _, v := range [][2]string{{"host.id", h.ID}, {"host.name", h.Name}} {
		if len(v[1]) > telemetry.MaxName || strings.ContainsFunc(v[1], func(r rune) bool { return unicode.IsSpace(r) || odd(r) }) {
			return config.Errorf(v[0], "%q is not a name: want at most %d printable characters, no spaces, no backslashes", v[1], telemetry.MaxName)
		}
	}
	return nil
}

// odd says whether a character, or what is none, makes trouble in a name on the wire.
func odd(r rune) bool { return r == utf8.RuneError || r == '\\' || !unicode.IsPrint(r) }

func (i *Intervals) validate() error {
	sample, report, inventory := i.Sample.D(), i.Report.D(), i.Inventory.D()
	switch {
	case sample < minSample || sample > maxSample:
		return config.Errorf("intervals.sample", "%v is not within %v and %v", sample, minSample, maxSample)
	case report < sample:
		return config.Errorf("intervals.report", "%v is shorter than intervals.sample, %v: a report needs a sample", report, sample)
	case report < time.Second || report > maxReport:
		return config.Errorf("intervals.report", "%v is not within %v and %v", report, time.Second, maxReport)
	case inventory < report:
		return config.Errorf("intervals.inventory", "%v is shorter than intervals.report, %v", inventory, report)
	case inventory < minInventory || inventory > maxInventory:
		return config.Errorf("intervals.inventory", "%v is not within %v and %v", inventory, minInventory, maxInventory)
	}
	return nil
}

func (s *State) validate() error {
	if s.UtilisationFloor < 1 {
		return config.Errorf("state.utilisation_floor", "is zero, at which every device would always be busy")
	}
	if s.UtilisationHold.D() > maxHold {
		return config.Errorf("state.utilisation_hold", "%v is longer than %v", s.UtilisationHold.D(), maxHold)
	}
	return nil
}

func (s *Sources) validate() error {
	switch s.NVML.Enabled {
	case "auto", "true":
	case "false":
		if s.NVML.Library != "" {
			return config.Errorf("sources.nvml.library", "is given, and yet sources.nvml.enabled is false")
		}
	default:
		return config.Errorf("sources.nvml.enabled", "%q is not one of auto, true, false", s.NVML.Enabled)
	}
	if s.NVML.Library != "" && !filepath.IsAbs(s.NVML.Library) {
		return config.Errorf("sources.nvml.library", "%q is not an absolute path", s.NVML.Library)
	}
	if err := telemetry.ValidID(s.NVML.Vendor); err != nil {
		return config.Errorf("sources.nvml.vendor", "%w", err)
	}
	return errFirst(s.NVML.validateOthers, s.DRM.validate)
}

func (q *Queue) validate() error {
	if q.Records < 10 {
		return config.Errorf("queue.records", "%d is fewer than 10", q.Records)
	}
	if q.Bytes < minQueue || q.Bytes > maxQueue {
		return config.Errorf("queue.bytes", "is not within 1MiB and 1GiB")
	}
	return nil
}

func (s *Spool) validate() error {
	switch {
	case s.Bytes != 0 && (s.Bytes < minSpool || s.Bytes > maxSpool):
		return config.Errorf("spool.bytes", "is neither 0B, for none, nor within 1MiB and 64GiB")
	case s.Age.D() < minSpoolAge || s.Age.D() > maxSpoolAge:
		return config.Errorf("spool.age", "%s is not within %s and %s", s.Age.D(), minSpoolAge, maxSpoolAge)
	case !(s.Pace >= minPace && s.Pace <= maxPace):
		return config.Errorf("spool.pace", "%v is not within %v and %d records a second", s.Pace, minPace, maxPace)
	}
	return nil
}

func (p *Paths) validate() error {
	for _, v := range [][2]string{{"paths.proc", p.Proc}, {"paths.sys", p.Sys}, {"paths.etc", p.Etc}, {"paths.state", p.State}} {
		if !filepath.IsAbs(v[1]) {
			return config.Errorf(v[0], "%q is not an absolute path", v[1])
		}
	}
	return nil
}

func (l *Log) validate() error {
	if _, err := l.level(); err != nil {
		return config.Errorf("log.level", "%w", err)
	}
	if l.Format != "text" && l.Format != "json" {
		return config.Errorf("log.format", "%q is not one of text, json", l.Format)
	}
	return nil
}

// level returns what is configured as slog's type.
func (l *Log) level() (slog.Level, error) {
	switch l.Level {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%q is not one of debug, info, warn, error", l.Level)
}

// SlogLevel returns the level of a valid configuration.
func (l *Log) SlogLevel() slog.Level {
	v, err := l.level()
	if err != nil {
		return slog.LevelInfo
	}
	return v
}

// Rules are the rules as configured. Silence is bound to the sampling: a source has missed several ticks by then.
func (c *Config) Rules() state.Rules {
	return state.Rules{
		MemoryFloor: telemetry.Bytes(c.State.MemoryFloor), UtilisationFloor: telemetry.Permille(c.State.UtilisationFloor),
		UtilisationHold: c.State.UtilisationHold.D(), Silence: max(state.DefaultRules().Silence, 3*c.Intervals.Sample.D()),
	}
}

// LoadConfig reads the configuration from a file. Errors name file and line.
func LoadConfig(path string) (Config, error) {
	c := DefaultConfig()
	if path == "" {
		return c, errors.New("no configuration: name its file with --config")
	}
	err := config.Load(path, &c)
	return c, err
}
