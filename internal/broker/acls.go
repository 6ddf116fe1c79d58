package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/telemetry"
)

// Rule lets a principal do something with a resource of Kafka, and with nothing else of it.
type Rule struct {
	Principal  string // as Kafka names it: User:name
	Resource   kafka.ResourceType
	Name       string
	Pattern    kafka.PatternType
	Operations []kafka.ACLOperationType
}

var (
	toWrite = []kafka.ACLOperationType{kafka.ACLOperationTypeWrite, kafka.ACLOperationTypeDescribe}
	toRead  = []kafka.ACLOperationType{kafka.ACLOperationTypeRead, kafka.ACLOperationTypeDescribe}
)

func topicRule(principal, topic string, operations []kafka.ACLOperationType) Rule {
	return Rule{principal, kafka.ResourceTypeTopic, topic, kafka.PatternTypeLiteral, operations}
}

// AgentRules let the agents of a centre write to its two topics. They read nothing, and no other centre's topics are theirs: that is what
// makes a centre's figures its own.
func AgentRules(principal, centre string) []Rule {
	return []Rule{topicRule(principal, telemetry.InventoryTopic(centre), toWrite), topicRule(principal, telemetry.TelemetryTopic(centre), toWrite)}
}

// CollectorRules let collectors read all centres' topics, share them by the group, and write what they share and say.
func CollectorRules(principal, group string) []Rule {
	return []Rule{
		{principal, kafka.ResourceTypeTopic, telemetry.TopicPrefix, kafka.PatternTypePrefixed, toRead},
		topicRule(principal, telemetry.PartialsTopic, toWrite),
		topicRule(principal, telemetry.CapacityTopic, toWrite),
		topicRule(principal, telemetry.QuarantineTopic, toWrite),
		{principal, kafka.ResourceTypeGroup, group, kafka.PatternTypeLiteral, toRead},
	}
}

// ReaderRules let a reader of the feed read it, in groups whose names begin with its own.
func ReaderRules(principal string) []Rule {
	_, name, _ := strings.Cut(principal, ":")
	return []Rule{
		topicRule(principal, telemetry.CapacityTopic, toRead),
		{principal, kafka.ResourceTypeGroup, name, kafka.PatternTypePrefixed, toRead},
	}
}

// ValidPrincipal reports what is wrong with a principal's name.
func ValidPrincipal(s string) error {
	kind, name, ok := strings.Cut(s, ":")
	if !ok || kind == "" || name == "" || len(s) > 200 {
		return fmt.Errorf("%q is no principal: Kafka writes one as User:name", s)
	}
	if name == "*" {
		return fmt.Errorf("%q is everybody", s)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\'' || r == 0x7f }) {
		return fmt.Errorf("%q holds a character that no principal has", s)
	}
	return nil
}

// Allow makes rules. Those that exist stay as they are.
func Allow(ctx context.Context, c *kafka.Client, rules []Rule) error {
	req := &kafka.CreateACLsRequest{}
	for _, r := range rules {
		for _, op := range r.Operations {
			req.ACLs = append(req.ACLs, kafka.ACLEntry{
				ResourceType: r.Resource, ResourceName: r.Name, ResourcePatternType: r.Pattern,
				Principal: r.Principal, Host: "*", Operation: op, PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
	}
	resp, err := c.CreateACLs(ctx, req)
	if err != nil {
		return fmt.Errorf("create rules of access: %w", err)
	}
	var errs []error
	for i, e := range resp.Errors {
		if e != nil {
			errs = append(errs, fmt.Errorf("let %s %s %s: %w", req.ACLs[i].Principal, strings.ToLower(req.ACLs[i].Operation.String()), req.ACLs[i].ResourceName, e))
		}
	}
	return errors.Join(errs...)
}

// String says what the rule allows.
func (r *Rule) String() string {
	var ops []string
	for _, op := range r.Operations {
		ops = append(ops, strings.ToLower(op.String()))
	}
	name := r.Name
	if r.Pattern == kafka.PatternTypePrefixed {
		name += "*"
	}
	return fmt.Sprintf("%s to %s %s %s", r.Principal, strings.Join(ops, ", "), strings.ToLower(r.Resource.String()), name)
}

// Command is the rule as a call of Kafka's own kafka-acls.sh.
func (r *Rule) Command() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-acls.sh --bootstrap-server $BROKERS --add --allow-principal '%s'", r.Principal)
	for _, op := range r.Operations {
		b.WriteString(" --operation " + op.String())
	}
	what := "--topic"
	if r.Resource == kafka.ResourceTypeGroup {
		what = "--group"
	}
	fmt.Fprintf(&b, " %s '%s'", what, r.Name)
	if r.Pattern == kafka.PatternTypePrefixed {
		b.WriteString(" --resource-pattern-type prefixed")
	}
	return b.String()
}
