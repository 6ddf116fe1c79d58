package main

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/collector/access"
	"github.com/exameter/exameter/internal/check"
)

// soonExpired is how long before its end somebody should renew a token or a certificate.
const soonExpired = 30 * 24 * time.Hour

// checkAccess looks at who may ask over HTTP, and whether that can be overheard.
func checkAccess(r *check.Report, c *collector.HTTP, now time.Time) {
	open := beyondLoopback(c.Listen)
	switch {
	case c.Open() && open:
		r.Warn("access", "%s can be reached from other hosts, and whoever reaches it may ask: http.access is not set", c.Listen)
		r.Do("exameter token new prints a token and its entry; name the file of entries as http.access")
	case c.Open():
		r.OK("access", "whoever is on this host may ask")
	default:
		checkList(r, c.Access, now)
		if open && c.TLS.Cert == "" {
			r.Warn("access", "tokens cross the network in the clear, for everybody on the way to read: http.tls is not set")
			r.Do("name a certificate and its key: http.tls.cert, http.tls.key")
		}
	}
	if c.TLS.Cert != "" {
		checkCertificate(r, c, now)
	}
	r.Secret("http.peers.token_file", c.Peers.TokenFile)
}

// beyondLoopback reports whether an address can be reached from other hosts.
func beyondLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// checkList looks at the file that says who is let in.
func checkList(r *check.Report, path string, now time.Time) {
	l, err := access.LoadList(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Fail("access", "there is no %s", path)
		r.Do("write it: exameter token new prints an entry; or take http.access out, and everybody may ask")
		return
	case errors.Is(err, fs.ErrPermission):
		r.Fail("access", "%v", err)
		r.Do("chown root:%s %s && chmod 0640 %s", user, path, path)
		return
	case err != nil:
		r.Fail("access", "%v", err)
		r.Do("mend the file; a running collector keeps the one before")
		return
	}
	r.OK("access", "%s: %d tokens, %d certificates", path, len(l.Tokens), len(l.Certificates))
	for i := range l.Tokens {
		t := &l.Tokens[i]
		switch until := t.Until(); {
		case until.IsZero() || until.Sub(now) > soonExpired:
			continue
		case !now.Before(until):
			r.Warn("token "+t.Name, "has expired: %s", t.Expires)
		default:
			r.Warn("token "+t.Name, "expires within %d days: %s", days(until.Sub(now)), t.Expires)
		}
		r.Do("exameter token new makes another; then take this one out")
	}
}

// days are those that have begun.
func days(d time.Duration) int { return int((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// checkCertificate looks at what the collector shows.
func checkCertificate(r *check.Report, c *collector.HTTP, now time.Time) {
	leaf, err := c.TLS.Leaf()
	switch {
	case errors.Is(err, fs.ErrPermission):
		r.Fail("certificate", "%v", err)
		r.Do("chown root:%s %s && chmod 0640 %s", user, c.TLS.Key, c.TLS.Key)
		return
	case err != nil:
		r.Fail("certificate", "%v", err)
		r.Do("mend http.tls: a certificate and its key, as PEM files")
		return
	}
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	until := leaf.NotAfter.Format(time.DateOnly)
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		r.Fail("certificate", "does not hold before %s", leaf.NotBefore.Format(time.RFC3339))
		r.Do("set this host's clock, or renew the certificate")
	case left <= 0:
		r.Fail("certificate", "has expired: %s", until)
		r.Do("renew it: a running collector takes a new file over by itself")
	case left <= soonExpired:
		r.Warn("certificate", "expires within %d days: %s", days(left), until)
		r.Do("renew it: a running collector takes a new file over by itself")
	default:
		r.OK("certificate", "for %s, until %s", cmp.Or(strings.Join(names, ", "), leaf.Subject.String()), until)
	}
	host, _, err := net.SplitHostPort(cmp.Or(c.Advertise, c.Listen))
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		return // reached by names that are not told
	}
	if err := leaf.VerifyHostname(host); err != nil {
		r.Warn("certificate", "is not for %s, by which this collector is reached, and for %s", host, cmp.Or(strings.Join(names, ", "), "none"))
		r.Do("a certificate that has this name too, or another in http.advertise")
	}
}
