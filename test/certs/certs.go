// Package certs makes certificates for tests, and writes them with their keys into PEM files.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// template is a certificate of a name, for 127.0.0.1, that servers and clients may show from an hour ago until tomorrow.
func template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, err
}

// Authority signs certificates.
type Authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority, with its certificate in dir/ca.pem.
func NewAuthority(dir string) (*Authority, error) {
	t, err := template("authority")
	if err != nil {
		return nil, err
	}
	t.IPAddresses, t.ExtKeyUsage, t.IsCA, t.BasicConstraintsValid = nil, nil, true, true
	t.KeyUsage |= x509.KeyUsageCertSign
	a := &Authority{file: filepath.Join(dir, "ca.pem"), cert: t}
	a.key, err = issue(t, nil, a.file)
	return a, err
}

// CA is the file of the authority's own certificate.
func (a *Authority) CA() string { return a.file }

// Sign writes a certificate of a name, and its key, into files, in the place of what they hold.
func (a *Authority) Sign(name, cert, key string) error {
	t, err := template(name)
	if err != nil {
		return err
	}
	priv, err := issue(t, a, cert)
	if err != nil {
		return err
	}
	return writeKey(key, priv)
}

// Own writes a certificate that is its own authority, and its key, into dir. Change, which may be nil, makes it another than usual.
func Own(dir, name string, change func(*x509.Certificate)) (cert, key string, err error) {
	t, err := template(name)
	if err != nil {
		return "", "", err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage |= x509.KeyUsageCertSign
	if change != nil {
		change(t)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	priv, err := issue(t, nil, cert)
	if err != nil {
		return "", "", err
	}
	return cert, key, writeKey(key, priv)
}

// issue makes a key and a certificate for it, which an authority signs, or the key itself where there is none, and writes the certificate.
func issue(t *x509.Certificate, by *Authority, file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	parent, signer := t, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)
}
