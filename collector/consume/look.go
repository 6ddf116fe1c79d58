package consume

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/exameter/exameter/telemetry"
)

// others is how long a look waits for other brokers once one has answered.
const others = 500 * time.Millisecond

// asked is how many brokers a look asks where fewer are named: so many that it is not all who are parted from the others.
const asked = 5

// metadataVersion is the first that tells of which election a leader is.
const metadataVersion = 7

// leader is who leads a partition.
type leader struct {
	kafka.Broker       // none where there is no host
	epoch        int32 // grows with every election
}

// picture is what a broker knows of the cluster.
type picture struct {
	brokers []string
	leaders map[Partition]leader
}

// look finds which partitions there are, and who leads them. It asks several brokers: one that is parted from the others knows nothing of what they have
// decided since, and goes on to answer as if it led what it led.
func (c *Consumer) look(ctx context.Context) error {
	d, err := c.cfg.Dialer()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, slack)
	defer cancel()
	type answer struct {
		picture
		err error
	}
	addrs := c.addrs()
	answers := make(chan answer, len(addrs))
	for _, addr := range addrs {
		go func() {
			p, err := ask(ctx, d, addr)
			if err != nil {
				err = fmt.Errorf("broker %s: %w", addr, err)
			}
			answers <- answer{p, err}
		}()
	}
	var said []picture
	var errs []error
	var late <-chan time.Time
	for range addrs {
		select {
		case a := <-answers:
			if a.err != nil {
				errs = append(errs, a.err)
				continue
			}
			if said = append(said, a.picture); late == nil {
				late = time.After(others)
			}
			continue
		case <-late:
		}
		break
	}
	if len(said) == 0 {
		return errors.Join(errs...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaders = merge(c.leaders, said, 2*len(said) > len(addrs))
	c.brokers = said[0].brokers
	c.move()
	return nil
}

// addrs are the brokers that are named, and some of those that they named.
func (c *Consumer) addrs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.cfg.Brokers)
	for _, b := range c.brokers {
		if len(all) < asked && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}

// merge makes one picture of several: the latest election counts. What is older than what is known counts only if most of those that were asked have answered, and none
// of them knows better: the topic was made anew.
func merge(known map[Partition]leader, said []picture, most bool) map[Partition]leader {
	all := map[Partition]leader{}
	for _, s := range said {
		for p, l := range s.leaders {
			if have, ok := all[p]; !ok || l.epoch > have.epoch {
				all[p] = l
			}
		}
	}
	for p, l := range all {
		if have, ok := known[p]; ok && !most && have.epoch > l.epoch {
			all[p] = have
		}
	}
	return all
}

// move ends the sessions of followers whose partition another broker leads by now. The caller holds the lock.
func (c *Consumer) move() {
	for p, f := range c.followers {
		if l := c.leaders[p]; l.Host != "" && f.leave(l.Broker) {
			c.cfg.Log.Debug("another broker leads a partition", "partition", p.String(), "broker", l.ID)
		}
	}
}

// ask asks one broker for all partitions. Topics are never named, because naming one can create it.
func ask(ctx context.Context, d *kafka.Dialer, addr string) (picture, error) {
	var raw net.Conn
	own := bare(d, &raw)
	conn, err := own.DialContext(ctx, "tcp", addr)
	if err != nil {
		return picture{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()
	if err := raw.SetDeadline(time.Now().Add(slack)); err != nil {
		return picture{}, err
	}
	speak := protocol.NewConn(raw, d.ClientID)
	speak.SetVersions(map[protocol.ApiKey]int16{protocol.Metadata: metadataVersion})
	resp, err := speak.RoundTrip(&metadata.Request{})
	if err != nil {
		return picture{}, err
	}
	return read(resp.(*metadata.Response)), nil
}

// read takes from a broker's answer what concerns Exameter.
func read(m *metadata.Response) picture {
	p := picture{leaders: map[Partition]leader{}}
	brokers := map[int32]kafka.Broker{}
	for _, b := range m.Brokers {
		brokers[b.NodeID] = kafka.Broker{Host: b.Host, Port: int(b.Port), ID: int(b.NodeID), Rack: b.Rack}
		p.brokers = append(p.brokers, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	}
	for _, t := range m.Topics {
		for _, one := range t.Partitions {
			number := int(one.PartitionIndex)
			l := leader{brokers[one.LeaderID], one.LeaderEpoch}
			if centre, inventory, ok := telemetry.CentreOfTopic(t.Name); ok {
				p.leaders[Partition{Topic: t.Name, Number: number, Centre: centre, Inventory: inventory}] = l
			} else if t.Name == telemetry.PartialsTopic && number == 0 {
				p.leaders[partials] = l
			} else if t.Name == telemetry.CapacityTopic && number == 0 {
				p.leaders[feed] = l
			}
		}
	}
	return p
}
