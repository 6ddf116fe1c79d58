package consume

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// AppendTime reports whether the records of a topic carry the broker's time (message.timestamp.type=LogAppendTime).
func AppendTime(ctx context.Context, c *kafka.Client, topic string) (bool, error) {
	const setting = "message.timestamp.type"
	resp, err := c.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{setting}},
	}})
	if err != nil {
		return false, fmt.Errorf("read settings of topic %q: %w", topic, err)
	}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return false, fmt.Errorf("read settings of topic %q: %w", topic, r.Error)
		}
		for _, e := range r.ConfigEntries {
			if e.ConfigName == setting {
				return e.ConfigValue == "LogAppendTime", nil
			}
		}
	}
	return false, fmt.Errorf("read settings of topic %q: %w", topic, errors.New("the broker does not say "+setting))
}
