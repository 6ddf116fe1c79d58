package check

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
)

// How far this host's clock may be from the brokers' before it is said so: they tell by the times that they stamped on records, so that it is
// no finer than records are dense.
const clockRecent = 15 * time.Second

var clockBehind = []time.Duration{24 * time.Hour, time.Hour, 10 * time.Minute, time.Minute, 10 * time.Second, 3 * time.Second}

// Clock holds this host's clock against the times that brokers stamped on the records of a topic.
func (r *Report) Clock(ctx context.Context, client *kafka.Client, topic string, partitions int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now := time.Now()
	later := func(d time.Duration) bool {
		is, err := stamped(ctx, client, topic, partitions, now.Add(d))
		return err == nil && is
	}
	recent, err := stamped(ctx, client, topic, partitions, now.Add(-clockRecent))
	switch {
	case err != nil:
		r.OK("clock", "this client may not ask for times, so the clock is not compared with the brokers'")
	case !recent:
		r.OK("clock", "nothing was written within %s, so the clock cannot be compared with the brokers'", clockRecent)
	case later(clockBehind[len(clockBehind)-1]):
		for _, d := range clockBehind {
			if later(d) {
				r.Fail("clock", "this host's clock is behind the brokers' by more than %s", d)
				r.Do("run chrony or systemd-timesyncd, on brokers as well: timedatectl shows the state")
				return
			}
		}
	default:
		r.OK("clock", "agrees with the brokers' to within %s", clockRecent)
	}
}

// stamped says whether a record of the topic was stamped at t or later. kafka-go says that there is one and not of when it is.
func stamped(ctx context.Context, client *kafka.Client, topic string, partitions int, t time.Time) (is bool, err error) {
	ask := make([]kafka.OffsetRequest, partitions)
	for i := range ask {
		ask[i] = kafka.OffsetRequest{Partition: i, Timestamp: t.UnixMilli()}
	}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return false, err
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			err = p.Error
		}
		for offset := range p.Offsets {
			is = is || offset >= 0
		}
	}
	if is {
		err = nil
	}
	return is, err
}
