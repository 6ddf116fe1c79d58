package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/telemetry"
)

// Topic is one topic with the settings Exameter needs.
type Topic struct {
	Name       string
	Partitions int
	Settings   map[string]string
}

// CentreTopics are the two topics of a centre. They have the same number of partitions and the same key, so that all
// records of a host stand in partitions of one number.
func CentreTopics(centre string, partitions int) []Topic {
	return []Topic{
		{Name: telemetry.InventoryTopic(centre), Partitions: partitions, Settings: map[string]string{
			"cleanup.policy":            "compact",
			"message.timestamp.type":    "LogAppendTime",
			"max.message.bytes":         strconv.Itoa(telemetry.MaxRecordBytes + 4096),
			"min.cleanable.dirty.ratio": "0.2",
			"segment.ms":                strconv.FormatInt((6 * time.Hour).Milliseconds(), 10),
		}},
		{Name: telemetry.TelemetryTopic(centre), Partitions: partitions, Settings: map[string]string{
			"cleanup.policy":         "delete",
			"message.timestamp.type": "LogAppendTime",
			"max.message.bytes":      strconv.Itoa(telemetry.MaxRecordBytes + 4096),
			"retention.ms":           strconv.FormatInt((6 * time.Hour).Milliseconds(), 10),
			"segment.ms":             strconv.FormatInt((30 * time.Minute).Milliseconds(), 10),
		}},
	}
}

// MaxPartialBytes bounds one record of the partials topic before compression.
const MaxPartialBytes = 2 << 20

// SharedTopics are the topics that belong to no centre.
func SharedTopics() []Topic {
	return []Topic{
		{Name: telemetry.QuarantineTopic, Partitions: 1, Settings: map[string]string{
			"cleanup.policy":  "delete",
			"retention.ms":    strconv.FormatInt((7 * 24 * time.Hour).Milliseconds(), 10),
			"retention.bytes": strconv.Itoa(1 << 30),
		}},
		// Each key is written about once a second, so small segments and an eager cleaner keep the topic short.
		{Name: telemetry.PartialsTopic, Partitions: 1, Settings: map[string]string{
			"cleanup.policy":            "compact",
			"message.timestamp.type":    "LogAppendTime",
			"max.message.bytes":         strconv.Itoa(MaxPartialBytes + 64<<10),
			"min.cleanable.dirty.ratio": "0.1",
			"segment.bytes":             strconv.Itoa(16 << 20),
			"segment.ms":                strconv.FormatInt((10 * time.Minute).Milliseconds(), 10),
			"delete.retention.ms":       strconv.FormatInt(time.Hour.Milliseconds(), 10),
		}},
		// What there is, is written again and again; what was not written for a day is of something that is no more.
		{Name: telemetry.CapacityTopic, Partitions: 1, Settings: map[string]string{
			"cleanup.policy":            "compact,delete",
			"message.timestamp.type":    "LogAppendTime",
			"retention.ms":              strconv.FormatInt((25 * time.Hour).Milliseconds(), 10),
			"min.cleanable.dirty.ratio": "0.1",
			"segment.bytes":             strconv.Itoa(16 << 20),
			"segment.ms":                strconv.FormatInt((10 * time.Minute).Milliseconds(), 10),
			"delete.retention.ms":       strconv.FormatInt(time.Hour.Milliseconds(), 10),
		}},
	}
}

// Create makes the topics that do not exist yet and returns the names of those it made. Existing topics are left as
// they are.
func Create(ctx context.Context, c *kafka.Client, topics []Topic, replicas int) (made []string, err error) {
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		tc := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: replicas}
		for k, v := range t.Settings {
			tc.ConfigEntries = append(tc.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
		}
		req.Topics = append(req.Topics, tc)
	}
	resp, err := c.CreateTopics(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	var errs []error
	for _, t := range topics {
		switch e := resp.Errors[t.Name]; {
		case e == nil:
			made = append(made, t.Name)
		case errors.Is(e, kafka.TopicAlreadyExists):
		default:
			errs = append(errs, fmt.Errorf("create topic %q: %w", t.Name, e))
		}
	}
	return made, errors.Join(errs...)
}
