package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/test/certs"
)

// today is when these checks are made.
var today = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// said is what a check says of a configuration.
func said(t *testing.T, c collector.HTTP) (out string, failed bool) {
	t.Helper()
	var b bytes.Buffer
	r := &check.Report{Out: &b}
	checkAccess(r, &c, today)
	return b.String(), r.Failed()
}

// entries is a list of tokens that expire so.
func entries(t *testing.T, mode os.FileMode, expires ...string) string {
	t.Helper()
	text := "tokens:\n"
	for i, e := range expires {
		_, one := access.NewToken("", []access.Scope{access.Read}, "")
		text += fmt.Sprintf("  - {name: t%d, sha256: %s, scopes: [read], expires: %q}\n", i, one.SHA256, e)
	}
	path := file(t, "access.yaml", text)
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckOfAccess(t *testing.T) {
	good := entries(t, 0o640, "", "2027-06-30")
	for name, c := range map[string]struct {
		http   collector.HTTP
		want   string
		failed bool
	}{
		"on this host":  {collector.HTTP{Listen: "127.0.0.1:8470"}, "ok    access            whoever is on this host may ask\n", false},
		"by its name":   {collector.HTTP{Listen: "localhost:8470"}, "ok    access            whoever is on this host may ask\n", false},
		"open to all":   {collector.HTTP{Listen: ":8470"}, "warn  access            :8470 can be reached from other hosts", false},
		"at an address": {collector.HTTP{Listen: "192.0.2.1:8470"}, "http.access is not set\n                        → exameter token new", false},
		"guarded":       {collector.HTTP{Listen: "127.0.0.1:1", Config: access.Config{Access: good}}, "ok    access            " + good + ": 2 tokens, 0 certificates\n", false},
		"in the clear":  {collector.HTTP{Listen: ":1", Config: access.Config{Access: good}}, "warn  access            tokens cross the network in the clear", false},
		"no file":       {collector.HTTP{Listen: ":1", Config: access.Config{Access: good + ".not"}}, "FAIL  access            there is no " + good + ".not", true},
		"for all to read": {
			collector.HTTP{Listen: ":1", Config: access.Config{Access: entries(t, 0o644, "")}}, "may be read or written by everybody", true,
		},
		"no list": {collector.HTTP{Listen: ":1", Config: access.Config{Access: file(t, "a.yaml", "tokens:\n  - nome: x\n")}}, "a.yaml:2", true},
		"expired": {collector.HTTP{Config: access.Config{Access: entries(t, 0o640, "2026-11-25")}}, "warn  token t0          has expired: 2026-11-25\n", false},
		"expires today": {
			collector.HTTP{Config: access.Config{Access: entries(t, 0o640, "", "2026-11-26")}}, "warn  token t1          expires within 1 days: 2026-11-26\n                        → exameter token new", false,
		},
		"expires soon": {collector.HTTP{Config: access.Config{Access: entries(t, 0o640, "2026-12-20")}}, "expires within 25 days: 2026-12-20", false},
	} {
		t.Run(name, func(t *testing.T) {
			if out, failed := said(t, c.http); !strings.Contains(out, c.want) || failed != c.failed {
				t.Errorf("failed %v, got\n%swant %q", failed, out, c.want)
			}
		})
	}
	if out, _ := said(t, collector.HTTP{Config: access.Config{Access: good}}); strings.Contains(out, "warn") {
		t.Errorf("tokens that hold for long are warned of:\n%s", out)
	}
}

// certificate writes one that holds for so long from today, with its key.
func certificate(t *testing.T, from, until time.Time, keyMode os.FileMode) (c access.TLS) {
	t.Helper()
	var err error
	c.Cert, c.Key, err = certs.Own(t.TempDir(), "c", func(x *x509.Certificate) {
		x.NotBefore, x.NotAfter, x.DNSNames, x.IPAddresses = from, until, []string{"gy-c1"}, []net.IP{net.ParseIP("192.0.2.1")}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.Key, keyMode); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckOfCertificate(t *testing.T) {
	day := 24 * time.Hour
	before, year := today.Add(-day), today.Add(365*day)
	two := certificate(t, before, year, 0o600)
	two.Key = certificate(t, before, year, 0o600).Key
	for name, c := range map[string]struct {
		tls       access.TLS
		advertise string
		want      string
		failed    bool
	}{
		"good":            {certificate(t, before, year, 0o640), "gy-c1:8470", "ok    certificate       for gy-c1, 192.0.2.1, until 2027-11-26\n", false},
		"soon over":       {certificate(t, before, today.Add(9*day), 0o600), "", "warn  certificate       expires within 9 days: 2026-12-05\n", false},
		"over":            {certificate(t, before, today.Add(-time.Hour), 0o600), "", "FAIL  certificate       has expired: 2026-11-26\n", true},
		"not yet":         {certificate(t, today.Add(day), year, 0o600), "", "FAIL  certificate       does not hold before 2026-11-27", true},
		"another name":    {certificate(t, before, year, 0o600), "gy-c2:8470", "warn  certificate       is not for gy-c2, by which this collector is reached, and for gy-c1, 192.0.2.1\n", false},
		"another key":     {two, "", "FAIL  certificate       read http.tls.cert and key", true},
		"for all to read": {certificate(t, before, year, 0o644), "", "may be read or written by everybody", true},
	} {
		t.Run(name, func(t *testing.T) {
			out, failed := said(t, collector.HTTP{Listen: "0.0.0.0:1", Advertise: c.advertise, Config: access.Config{TLS: c.tls}})
			if !strings.Contains(out, c.want) || failed != c.failed {
				t.Errorf("failed %v, got\n%swant %q", failed, out, c.want)
			}
			if good := strings.HasPrefix(c.want, "ok"); good && strings.Contains(out, "warn  certificate") {
				t.Errorf("a good one is warned of:\n%s", out)
			}
		})
	}
}
