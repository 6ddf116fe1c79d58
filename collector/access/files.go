package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how often files are looked at for changes, when somebody comes.
const lookEvery = 2 * time.Second

// watched is what was read of some files, and is read anew once they have changed. What cannot be read leaves what was.
type watched[T any] struct {
	paths []string
	read  func() (T, error)
	log   *slog.Logger

	mu     sync.Mutex
	value  T
	stamps []stamp
	failed bool // what they hold by now could not be read
	looked time.Time
}

// stamp tells a file from what it was.
type stamp struct {
	at   time.Time
	size int64
	file os.FileInfo
}

func newWatched[T any](log *slog.Logger, read func() (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, read: read, log: log, looked: time.Now()}
	w.stamps = w.stamp()
	var err error
	w.value, err = read()
	return w, err
}

func (w *watched[T]) stamp() []stamp {
	out := make([]stamp, len(w.paths))
	for i, p := range w.paths {
		if st, err := os.Stat(p); err == nil {
			out[i] = stamp{st.ModTime(), st.Size(), st}
		}
	}
	return out
}

func (s *stamp) same(o *stamp) bool {
	return s.at.Equal(o.at) && s.size == o.size && (s.file == nil) == (o.file == nil) && (s.file == nil || os.SameFile(s.file, o.file))
}

// get returns what the files hold.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < lookEvery {
		return w.value
	}
	w.looked = time.Now()
	now, changed := w.stamp(), false
	for i := range now {
		changed = changed || !now[i].same(&w.stamps[i])
	}
	if !changed && !w.failed {
		return w.value
	}
	w.stamps = now
	v, err := w.read()
	if w.failed = err != nil; w.failed {
		if !changed {
			return w.value // it was said; who may read a file can change without a trace in the file
		}
		w.log.Error("what has changed cannot be read; what was read before goes on", "files", w.paths, "error", err)
		return w.value
	}
	w.log.Info("read anew", "files", w.paths)
	w.value = v
	return w.value
}

// TLS encrypts what is asked and answered.
type TLS struct {
	Cert     string `yaml:"cert"`      // PEM file of the certificate, with those between it and its authority; empty: no TLS
	Key      string `yaml:"key"`       // PEM file of its key
	ClientCA string `yaml:"client_ca"` // PEM file of the authorities whose certificates clients may show; empty: none is asked for
}

// credentials are what a TLS listener shows and trusts.
type credentials struct {
	cert    tls.Certificate
	clients *x509.CertPool
}

func (t *TLS) load() (*credentials, error) {
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read http.tls.cert and key: %w", err)
	}
	c := &credentials{cert: cert}
	if t.ClientCA != "" {
		if c.clients, err = Pool(t.ClientCA); err != nil {
			return nil, fmt.Errorf("http.tls.client_ca: %w", err)
		}
	}
	return c, nil
}

// Leaf reads what a listener would show: its certificate, which its key fits, and the key is nobody else's to read.
func (t *TLS) Leaf() (*x509.Certificate, error) {
	if err := Private(t.Key); err != nil {
		return nil, err
	}
	c, err := t.load()
	if err != nil {
		return nil, err
	}
	return c.cert.Leaf, nil
}

// Pool reads authorities from a PEM file.
func Pool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%q holds no PEM certificate", path)
	}
	return pool, nil
}

// server returns a TLS configuration that takes over certificates which are replaced; nil where there is none.
func (t *TLS) server(log *slog.Logger) (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	files := []string{t.Cert, t.Key}
	if t.ClientCA != "" {
		files = append(files, t.ClientCA)
	}
	if err := Private(t.Key); err != nil {
		return nil, err
	}
	w, err := newWatched(log, t.load, files...)
	if err != nil {
		return nil, err
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c, now := base.Clone(), w.get()
		c.GetConfigForClient, c.Certificates = nil, []tls.Certificate{now.cert}
		if now.clients != nil {
			// Whoever shows none may still have a token.
			c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, now.clients
		}
		return c, nil
	}
	return base, nil
}

// validate checks what goes together.
func (t *TLS) validate() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("cert and key go together")
	case t.Cert == "" && t.ClientCA != "":
		return errors.New("client_ca is given, and yet no cert")
	}
	return nil
}
