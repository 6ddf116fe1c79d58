package collector

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/internal/config"
)

// Config is the collector's configuration file; packaging/config/collector.yaml explains every key.
type Config struct {
	Kafka        broker.Config   `yaml:"kafka"`
	HTTP         HTTP            `yaml:"http"`
	Registry     string          `yaml:"registry"`
	Catalogue    string          `yaml:"catalogue"`
	StaleAfter   config.Duration `yaml:"stale_after"`
	FoldInterval config.Duration `yaml:"fold_interval"`
	Discover     bool            `yaml:"discover"`
	Log          Log             `yaml:"log"`
}

// HTTP says where questions are answered.
type HTTP struct {
	Listen string `yaml:"listen"`
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
		HTTP:         HTTP{Listen: "127.0.0.1:8470"},
		StaleAfter:   config.Duration(30 * time.Second),
		FoldInterval: config.Duration(200 * time.Millisecond),
		Discover:     true,
		Log:          Log{Level: "info", Format: "text"},
	}
}

// Validate checks what YAML cannot.
func (c *Config) Validate() error {
	if err := c.Kafka.Validate(); err != nil {
		return err
	}
	if _, port, err := net.SplitHostPort(c.HTTP.Listen); err != nil || port == "" {
		return config.Errorf("http.listen", "%q is not host:port", c.HTTP.Listen)
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
