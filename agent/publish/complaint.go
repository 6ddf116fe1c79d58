package publish

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
)

// complaint says that sending from one queue fails: at once, then once a minute at most, and when it is over.
type complaint struct {
	log   *slog.Logger
	since time.Time // of the first failure; zero while all is well
	said  time.Time
	fails int
}

func (c *complaint) raise(err error, waiting int64, retry time.Duration) {
	now := time.Now()
	if c.since.IsZero() {
		c.since = now
	}
	c.fails++
	if now.Sub(c.said) < complainEvery && c.fails > 1 {
		return
	}
	c.said = now
	text, remedy := explain(err)
	c.log.Warn(text, "error", err, "remedy", remedy, "records_waiting", waiting, "retry_in", retry.Round(time.Millisecond), "failed_attempts", c.fails)
}

func (c *complaint) over() {
	if c.since.IsZero() {
		return
	}
	c.log.Info("Kafka takes records again", "after", time.Since(c.since).Round(time.Millisecond), "failed_attempts", c.fails)
	c.since, c.fails = time.Time{}, 0
}

// explain says in plain words what an error of Kafka means and what to do about it.
func explain(err error) (text, remedy string) {
	switch {
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		return "the topic does not exist", "make the centre's topics: exameter topics create"
	case errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.ClusterAuthorizationFailed):
		return "Kafka does not let this client write to the topic", "grant it Write and Describe on the centre's topics"
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return "Kafka refused the name or the password", "check kafka.sasl"
	case errors.Is(err, kafka.NotEnoughReplicas), errors.Is(err, kafka.NotEnoughReplicasAfterAppend):
		return "too few replicas are in sync", "look after the brokers; nothing is lost meanwhile"
	case errors.Is(err, context.DeadlineExceeded):
		return "Kafka did not answer in time", "check kafka.brokers, the network and the brokers"
	}
	return "Kafka cannot be reached", "check kafka.brokers, kafka.tls, the network and the brokers"
}
