package collector

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/collector/feed/linefeed"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
)

// Config is the collector's configuration file; packaging/config/collector.yaml explains every key.
type Config struct {
	Kafka        broker.Config   `yaml:"kafka"`
	Group        string          `yaml:"group"`
	Instance     string          `yaml:"instance"`
	HTTP         HTTP            `yaml:"http"`
	Registry     string          `yaml:"registry"`
	Catalogue    string          `yaml:"catalogue"`
	StaleAfter   config.Duration `yaml:"stale_after"`
	FoldInterval config.Duration `yaml:"fold_interval"`
	Discover     bool            `yaml:"discover"`
	Write        linefeed.Config `yaml:"write"`
	Log          Log             `yaml:"log"`
}

// HTTP says where questions are answered.
type HTTP struct {
	Listen    string `yaml:"listen"`
	Advertise string `yaml:"advertise"` // host:port by which other collectors reach this one
	Watchers  int    `yaml:"watchers"`  // how many may watch /v1/stream at a time

	access.Config `yaml:",inline"`
	Peers         Peers `yaml:"peers"`
}

// Peers says how this collector shows the others who it is. Where clients' certificates are asked for, it shows its own.
type Peers struct {
	CA        string `yaml:"ca"`         // PEM file of the authorities of their certificates; empty: the system's
	TokenFile string `yaml:"token_file"` // holds a token with the scope admin; empty: none
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// DefaultConfig returns the configuration that an empty file stands for.
func DefaultConfig() Config {
	return Config{
		Kafka:        broker.Config{Brokers: []string{"127.0.0.1:9092"}},
		Group:        "exameter-collector",
		HTTP:         HTTP{Listen: "127.0.0.1:8470", Watchers: 20_000},
		StaleAfter:   config.Duration(30 * time.Second),
		FoldInterval: config.Duration(100 * time.Millisecond),
		Discover:     true,
		Write:        linefeed.DefaultConfig(),
		Log:          Log{Level: "info", Format: "text"},
	}
}

// maxName bounds names that other collectors read.
const maxName = 255

// address returns where this collector answers as others know it, given where it listens. An address that is every address of
// the host is replaced by the host's name.
func (c *Config) address(listen string) string {
	if c.HTTP.Advertise != "" {
		return c.HTTP.Advertise
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || host != "" && !net.ParseIP(host).IsUnspecified() {
		return listen
	}
	name, err := os.Hostname()
	if err != nil {
		return listen
	}
	return net.JoinHostPort(name, port)
}

// instance returns who this collector is in its group. Collectors of one group on one host differ by their ports.
func (c *Config) instance(listen string) string {
	if c.Instance != "" {
		return c.Instance
	}
	name, err := os.Hostname()
	_, port, perr := net.SplitHostPort(listen)
	if err != nil || perr != nil {
		return c.address(listen)
	}
	return net.JoinHostPort(name, port)
}

// Validate checks what YAML cannot.
func (c *Config) Validate() error {
	if err := c.Kafka.Validate(); err != nil {
		return err
	}
	if _, port, err := net.SplitHostPort(c.HTTP.Listen); err != nil || port == "" {
		return config.Errorf("http.listen", "%q is not host:port", c.HTTP.Listen)
	}
	if err := c.HTTP.Config.Validate(); err != nil {
		return err
	}
	if p := c.HTTP.Peers; c.HTTP.TLS.Cert == "" && (p.CA != "" || p.TokenFile != "") {
		return config.Errorf("http.peers", "is for collectors that speak TLS: a token would cross the network in the clear")
	}
	if a := c.HTTP.Advertise; a != "" {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" || len(a) > maxName {
			return config.Errorf("http.advertise", "%q is not host:port", a)
		}
	}
	if n := c.HTTP.Watchers; n < 1 || n > 1_000_000 {
		return config.Errorf("http.watchers", "%d is not between 1 and 1000000", n)
	}
	if c.Group == "" || len(c.Group) > maxName {
		return config.Errorf("group", "%q is not a name: want 1 to %d characters", c.Group, maxName)
	}
	if len(c.Instance) > maxName {
		return config.Errorf("instance", "%q is too long: want at most %d characters", c.Instance, maxName)
	}
	if d := c.StaleAfter.D(); d < time.Second || d > time.Hour {
		return config.Errorf("stale_after", "%s is not between 1s and 1h", d)
	}
	if d := c.FoldInterval.D(); d < 10*time.Millisecond || d > 10*time.Second {
		return config.Errorf("fold_interval", "%s is not between 10ms and 10s", d)
	}
	if c.FoldInterval > c.StaleAfter {
		return config.Errorf("fold_interval", "%s is longer than stale_after %s", c.FoldInterval.D(), c.StaleAfter.D())
	}
	if !c.Discover && c.Registry == "" {
		return config.Errorf("discover", "is false without a registry: no centre would be followed")
	}
	if err := c.Write.Validate(); err != nil {
		return err
	}
	if _, err := c.Log.level(); err != nil {
		return config.Errorf("log.level", "%w", err)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return config.Errorf("log.format", "%q is not text or json", c.Log.Format)
	}
	return nil
}

func (l *Log) level() (level slog.Level, err error) {
	switch l.Level {
	case "debug", "info", "warn", "error":
		err = level.UnmarshalText([]byte(l.Level))
	default:
		err = fmt.Errorf("%q is not one of debug, info, warn, error", l.Level)
	}
	return level, err
}

// Logger makes the logger that the configuration, which must be valid, describes.
func (l *Log) Logger(w io.Writer) (*slog.Logger, error) {
	level, err := l.level()
	if err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}
