package kafka

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/exameter/exameter/test/certs"
)

// Admin is the user who may do everything on a secured cluster. Its password is its name.
const Admin = "admin"

// Secure makes brokers that let nobody in without a name, and do nothing that no rule allows. Beside the listener of Addrs, which stays open
// for the harness and counts as the administrator's, there are SecureAddrs, with TLS and SASL (SCRAM-SHA-512 and PLAIN), and MutualAddrs, with
// TLS and certificates of clients.
type Secure struct {
	Users []string // the password of each is its name

	*certs.Authority // that signed all certificates
	dir              string
}

// prepare makes an authority, and a certificate for the brokers.
func (s *Secure) prepare(dir string) (err error) {
	s.dir = dir
	if s.Authority, err = certs.NewAuthority(dir); err != nil {
		return err
	}
	_, _, err = s.Certificate("broker")
	return err
}

// Certificate makes a certificate of a name, for 127.0.0.1, and returns its file and that of its key.
func (s *Secure) Certificate(name string) (cert, key string, err error) {
	cert, key = filepath.Join(s.dir, name+".pem"), filepath.Join(s.dir, name+".key")
	return cert, key, s.Sign(name, cert, key)
}

// SecureAddrs are the addresses with TLS and SASL.
func (c *Cluster) SecureAddrs() (addrs []string) {
	for _, b := range c.brokers {
		addrs = append(addrs, b.sasl)
	}
	return addrs
}

// MutualAddrs are the addresses with TLS and certificates of clients.
func (c *Cluster) MutualAddrs() (addrs []string) {
	for _, b := range c.brokers {
		addrs = append(addrs, b.mutual)
	}
	return addrs
}

// settings are the properties that a secured broker has beside the others.
func (s *Secure) settings(b *broker) (map[string]string, error) {
	inline := func(file string) (string, error) {
		text, err := os.ReadFile(filepath.Join(s.dir, file))
		return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", `\n`), err
	}
	ca, err := inline("ca.pem")
	if err != nil {
		return nil, err
	}
	cert, err := inline("broker.pem")
	if err != nil {
		return nil, err
	}
	key, err := inline("broker.key")
	if err != nil {
		return nil, err
	}
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for _, u := range append([]string{Admin}, s.Users...) {
		plain += fmt.Sprintf(` user_%s="%s"`, u, u)
	}
	return map[string]string{
		"listeners":                      fmt.Sprintf("CLIENT://%s,CONTROLLER://%s,SASL://%s,MUTUAL://%s", b.addr, b.controller, b.sasl, b.mutual),
		"advertised.listeners":           fmt.Sprintf("CLIENT://%s,SASL://%s,MUTUAL://%s", b.addr, b.sasl, b.mutual),
		"listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL",
		"ssl.keystore.type":              "PEM", "ssl.keystore.certificate.chain": cert, "ssl.keystore.key": key,
		"ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca,
		"listener.name.mutual.ssl.client.auth":              "required",
		"ssl.principal.mapping.rules":                       "RULE:^CN=([^,]+).*$/$1/",
		"listener.name.sasl.sasl.enabled.mechanisms":        "SCRAM-SHA-512,PLAIN",
		"listener.name.sasl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"listener.name.sasl.plain.sasl.jaas.config":         plain + ";",
		"authorizer.class.name":                             "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                                       "User:ANONYMOUS;User:" + Admin,
		"allow.everyone.if.no.acl.found":                    "false",
	}, nil
}

// formatting are the arguments that make the users known when a broker's storage is made.
func (s *Secure) formatting() (args []string) {
	if s == nil {
		return nil
	}
	for _, u := range append([]string{Admin}, s.Users...) {
		args = append(args, "--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", u, u))
	}
	return args
}

// with adds a secured broker's properties to those given.
func (s *Secure) with(b *broker, given map[string]string) (map[string]string, error) {
	if s == nil {
		return given, nil
	}
	all, err := s.settings(b)
	if err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(given)) {
		all[k] = given[k]
	}
	return all, nil
}
