// Package access runs the real programs against a real Kafka that lets nobody in without a name and does nothing that no rule allows.
package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
	"github.com/exameter/exameter/test/kafka"
	"github.com/exameter/exameter/test/process"
)

const soon = 60 * time.Second

// house is a secured Kafka with the topics and rules of two centres.
type house struct {
	*testing.T
	dir     string
	secure  *kafka.Secure
	cluster *kafka.Cluster
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, dir: t.TempDir(), secure: &kafka.Secure{Users: []string{"agents-north", "agents-south", "collector", "dispatch"}}}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", h.dir+"/",
		"../../cmd/exameter", "../../cmd/exameter-agent", "../../cmd/exameter-collector").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.cluster = kafka.Run(t, kafka.Options{Secure: h.secure})
	h.write("admin.yaml", "kafka:\n"+h.sasl(kafka.Admin, "SCRAM-SHA-512"))
	said := h.exec("exameter", "topics", "create", "--kafka", h.path("admin.yaml"), "--centre", "north,south", "--partitions", "1", "--replicas", "1",
		"--agents", "User:agents-{centre}", "--collectors", "User:collector", "--readers", "User:dispatch")
	if !strings.Contains(said, "allowed User:agents-north to write, describe topic exameter.v1.telemetry.north") {
		t.Errorf("exameter topics create said\n%s", said)
	}
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) {
	h.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
}

// sasl is how to reach Kafka with a name and password, below the key kafka.
func (h *house) sasl(user, mechanism string) string {
	h.write(user+".password", user+"\n")
	return fmt.Sprintf("  brokers: [%s]\n  tls:\n    enabled: true\n    ca: %s\n  sasl:\n    mechanism: %s\n    username: %s\n    password_file: %s\n",
		strings.Join(h.cluster.SecureAddrs(), ", "), h.secure.CA(), mechanism, user, h.path(user+".password"))
}

// mutual is how to reach it with a certificate.
func (h *house) mutual(name string) string {
	h.Helper()
	cert, key, err := h.secure.Certificate(name)
	if err != nil {
		h.Fatal(err)
	}
	return fmt.Sprintf("  brokers: [%s]\n  tls:\n    enabled: true\n    ca: %s\n    cert: %s\n    key: %s\n",
		strings.Join(h.cluster.MutualAddrs(), ", "), h.secure.CA(), cert, key)
}

func (h *house) exec(program string, args ...string) string {
	h.Helper()
	out, err := exec.CommandContext(h.Context(), h.path(program), args...).CombinedOutput()
	if err != nil {
		h.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (h *house) start(name, program string, args ...string) *process.Process {
	h.Helper()
	p, err := process.Start(h.path(name+".log"), nil, h.path(program), args...)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		_ = p.Kill()
		if h.Failed() {
			h.Logf("log of %s:\n%s", name, p.Log())
		}
	})
	return p
}

// agent starts an agent of a centre on no hardware but this machine's processors.
func (h *house) agent(centre, kafka string) *process.Process {
	h.Helper()
	state := h.path("state-" + centre)
	h.write("agent-"+centre+".yaml", fmt.Sprintf("centre: %s\nhost:\n  id: host-of-%[1]s\nkafka:\n%sintervals:\n  sample: 500ms\n  report: 1s\nsources:\n  nvml:\n    enabled: \"false\"\npaths:\n  state: %s\n",
		centre, kafka, state))
	return h.start("agent-"+centre, "exameter-agent", "run", "--config", h.path("agent-"+centre+".yaml"))
}

// client is one of Kafka, for a user.
func (h *house) client(user string) (*kafkago.Client, *broker.Config) {
	h.Helper()
	h.write(user+".password", user)
	c := &broker.Config{
		Brokers: h.cluster.SecureAddrs(), TLS: broker.TLS{Enabled: true, CA: h.secure.CA()},
		SASL: broker.SASL{Mechanism: "SCRAM-SHA-512", Username: user, PasswordFile: h.path(user + ".password")},
	}
	client, transport, err := c.Client("test")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(transport.CloseIdleConnections)
	return client, c
}

// raw speaks Kafka's protocol as a user, without looking first whether a topic is to be seen: a thief's client would not either.
func (h *house) raw(user string, req kmsg.Request) (kmsg.Response, error) {
	h.Helper()
	pem, err := os.ReadFile(h.secure.CA())
	if err != nil {
		h.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := kgo.NewClient(kgo.SeedBrokers(h.cluster.SecureAddrs()...), kgo.DialTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}),
		kgo.SASL(scram.Auth{User: user, Pass: user}.AsSha512Mechanism()), kgo.MaxVersions(kversion.V3_0_0())) // by which topics go by name
	if err != nil {
		h.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(h.Context(), soon)
	defer cancel()
	return c.Broker(1).Request(ctx, req)
}

// produce writes one record to the first partition of a topic.
func (h *house) produce(user, topic, key string, value []byte) error {
	h.Helper()
	record := kmsg.NewRecord()
	record.Key, record.Value = []byte(key), value
	body := record.AppendTo(nil)[1:] // without the length, which is not known yet
	record.Length = int32(len(body))
	batch := kmsg.NewRecordBatch()
	batch.PartitionLeaderEpoch, batch.Magic, batch.ProducerID, batch.ProducerEpoch, batch.FirstSequence, batch.NumRecords = -1, 2, -1, -1, -1, 1
	batch.FirstTimestamp = time.Now().UnixMilli()
	batch.MaxTimestamp = batch.FirstTimestamp
	batch.Records = record.AppendTo(nil)
	whole := batch.AppendTo(nil)
	batch.Length = int32(len(whole) - 12)
	batch.CRC = int32(crc32.Checksum(whole[21:], crc32.MakeTable(crc32.Castagnoli)))
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = batch.AppendTo(nil)
	one := kmsg.NewProduceRequestTopic()
	one.Topic, one.Partitions = topic, []kmsg.ProduceRequestTopicPartition{part}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 10_000, []kmsg.ProduceRequestTopic{one}
	resp, err := h.raw(user, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
}

// fetch reads the first partition of a topic.
func (h *house) fetch(user, topic string) error {
	h.Helper()
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 1 << 20
	one := kmsg.NewFetchRequestTopic()
	one.Topic, one.Partitions = topic, []kmsg.FetchRequestTopicPartition{part}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MaxBytes, req.Topics = 500, 1<<20, []kmsg.FetchRequestTopic{one}
	resp, err := h.raw(user, req)
	if err != nil {
		return err
	}
	got := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		return err
	}
	return kerr.ErrorForCode(got.Topics[0].Partitions[0].ErrorCode)
}

// join enters a consumer group for a moment.
func (h *house) join(user, group string) error {
	h.Helper()
	c, _ := h.client(user)
	ctx, cancel := context.WithTimeout(h.Context(), soon)
	defer cancel()
	res, err := c.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{telemetry.CapacityTopic: {0}}})
	if err == nil && res.Error != nil {
		err = res.Error
	}
	return err
}

func (h *house) collector() (url string) {
	h.Helper()
	addr := process.FreeAddr(h.T)
	h.write("registry.yaml", "centres:\n  - id: north\n  - id: south\n")
	h.write("collector.yaml", "kafka:\n"+h.sasl("collector", "PLAIN")+"http:\n  listen: "+addr+"\nregistry: "+h.path("registry.yaml")+"\nstale_after: 10s\n")
	h.start("collector", "exameter-collector", "run", "--config", h.path("collector.yaml"))
	return "http://" + addr
}

func (h *house) get(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return b, err
}

func (h *house) eventually(what string, check func() error) {
	h.Helper()
	var err error
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	h.Fatalf("%s: %v", what, err)
}

// online waits until so many hosts of each centre are online.
func (h *house) online(url string, want map[string]int64) {
	h.Helper()
	h.eventually("wait for hosts", func() error {
		b, err := h.get(url + "/v1/capacity?kind=all&by=centre")
		if err != nil {
			return err
		}
		var doc capacity.Document
		if err := json.Unmarshal(b, &doc); err != nil {
			return err
		}
		have := map[string]int64{}
		for _, g := range doc.Groups {
			have[g.Centre] = g.Hosts.Online
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Errorf("online are %v, want %v", have, want)
		}
		return nil
	})
}

func TestAccess(t *testing.T) {
	h := newHouse(t)
	url := h.collector()                                      // a password, as it is, within TLS
	h.agent("north", h.sasl("agents-north", "SCRAM-SHA-512")) // a password that does not cross the wire
	h.agent("south", h.mutual("agents-south"))                // a certificate
	h.online(url, map[string]int64{"north": 1, "south": 1})
	h.eventually("the feed", func() error { return h.fetch("dispatch", telemetry.CapacityTopic) }) // that may be read

	report := telemetry.TelemetryTopic("north")
	t.Run("Refused", func(t *testing.T) {
		h := &house{T: t, dir: h.dir, secure: h.secure, cluster: h.cluster}
		for _, tc := range []struct {
			name string
			do   func() error
		}{
			{"a centre writes another's telemetry", func() error { return h.produce("agents-south", report, "x", []byte("x")) }},
			{"a centre writes another's inventory", func() error { return h.produce("agents-south", telemetry.InventoryTopic("north"), "x", nil) }},
			{"a centre reads another's telemetry", func() error { return h.fetch("agents-south", report) }},
			{"a centre reads its own telemetry", func() error { return h.fetch("agents-north", report) }},
			{"a centre reads the feed", func() error { return h.fetch("agents-north", telemetry.CapacityTopic) }},
			{"a centre writes the feed", func() error { return h.produce("agents-north", telemetry.CapacityTopic, "province", []byte("{}")) }},
			{"a centre writes partials", func() error { return h.produce("agents-north", telemetry.PartialsTopic, "north/0", []byte("{}")) }},
			{"a centre enters the collectors' group", func() error { return h.join("agents-north", "exameter-collector") }},
			{"a reader writes the feed", func() error { return h.produce("dispatch", telemetry.CapacityTopic, "province", []byte("{}")) }},
			{"a reader reads telemetry", func() error { return h.fetch("dispatch", report) }},
			{"a reader reads partials", func() error { return h.fetch("dispatch", telemetry.PartialsTopic) }},
			{"a reader enters the collectors' group", func() error { return h.join("dispatch", "exameter-collector") }},
			{"a collector writes telemetry", func() error { return h.produce("collector", report, "x", []byte("x")) }},
		} {
			if err := tc.do(); !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kafkago.GroupAuthorizationFailed) {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
		if err := h.join("dispatch", "dispatch-1"); err != nil {
			t.Errorf("a reader's own group: %v", err)
		}
		_, cfg := h.client("agents-north")
		cfg.SASL.Username = "stranger"
		client, transport, err := cfg.Client("test")
		if err != nil {
			t.Fatal(err)
		}
		defer transport.CloseIdleConnections()
		if _, err := client.Metadata(t.Context(), &kafkago.MetadataRequest{}); !errors.Is(err, kafkago.SASLAuthenticationFailed) {
			t.Errorf("a stranger: %v", err)
		}
	})
	// What a record says of its centre changes nothing: it counts where it was written.
	t.Run("Forged", func(t *testing.T) {
		h := &house{T: t, dir: h.dir, secure: h.secure, cluster: h.cluster}
		header := telemetry.Header{Origin: telemetry.Origin{Centre: "south", Cluster: "default", Host: "forger"}, Time: time.Now(), Boot: "boot", Seq: 1}
		inv := &telemetry.Inventory{Header: header, Devices: []telemetry.DeviceInfo{{ID: "GPU-forged", Vendor: "nvidia", Name: "NVIDIA H200"}}}
		var e telemetry.Encoder
		b, err := e.AppendInventory(nil, inv)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.produce("agents-north", telemetry.InventoryTopic("north"), "forger", b); err != nil {
			t.Fatal(err)
		}
		h.eventually("the forged record", func() error {
			m, err := h.get(url + "/metrics")
			if err == nil && !strings.Contains(string(m), "\nexameter_records_foreign_centre_total 1\n") {
				err = errors.New("it was not counted")
			}
			return err
		})
		h.eventually("the device where it was written", func() error {
			b, err := h.get(url + "/v1/capacity?by=centre")
			if err != nil {
				return err
			}
			var doc capacity.Document
			if err := json.Unmarshal(b, &doc); err != nil {
				return err
			}
			if len(doc.Groups) != 1 || doc.Groups[0].Centre != "north" || doc.Groups[0].Devices.Rated != 1 {
				return fmt.Errorf("accelerators are in %+v", doc.Groups)
			}
			return nil
		})
	})
}

// TestPrinted shows administrators Kafka's own commands.
func TestPrinted(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", dir+"/", "../../cmd/exameter").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "exameter"), "topics", "create", "--print", "--centre", "north,south",
		"--agents", "User:agents-{centre}", "--readers", "User:dispatch").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kafka-acls.sh --bootstrap-server $BROKERS --add --allow-principal 'User:agents-south' --operation Write --operation Describe --topic 'exameter.v1.telemetry.south'\n",
		"kafka-acls.sh --bootstrap-server $BROKERS --add --allow-principal 'User:dispatch' --operation Read --operation Describe --group 'dispatch' --resource-pattern-type prefixed\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("missing: %sin\n%s", want, out)
		}
	}
	for _, agents := range []string{"User:agents", "agents-{centre}", "User:*{centre}"} {
		said, err := exec.CommandContext(t.Context(), filepath.Join(dir, "exameter"), "topics", "create", "--print", "--centre", "north,south", "--agents", agents).CombinedOutput()
		if code := 0; err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			if code != 2 || !strings.Contains(string(said), "--agents") {
				t.Errorf("--agents %s: code %d, %s", agents, code, said)
			}
		} else if agents != "User:*{centre}" {
			t.Errorf("--agents %s was taken: %s", agents, said)
		}
	}
}
