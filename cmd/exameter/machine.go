package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/internal/broker"
	"github.com/exameter/exameter/telemetry"
)

// describeMachine says what the first host of a centre is, as its agent told Kafka.
func describeMachine(ctx context.Context, cfg broker.Config, centre string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	dialer, err := cfg.Dialer("exameter")
	if err != nil {
		return "", err
	}
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: cfg.Brokers, Dialer: dialer, Topic: telemetry.InventoryTopic(centre), MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second,
	})
	defer r.Close()
	m, err := r.ReadMessage(ctx)
	if err != nil {
		return "", fmt.Errorf("read this machine's inventory: %w", err)
	}
	var dec telemetry.Decoder
	var inv telemetry.Inventory
	if err := dec.Inventory(m.Value, &inv); err != nil {
		return "", fmt.Errorf("read this machine's inventory: %w", err)
	}
	return "This machine: " + machineLine(&inv), nil
}

// machineLine is an inventory in one line.
func machineLine(inv *telemetry.Inventory) string {
	name := inv.Name
	if name == "" {
		name = inv.Host
	}
	cpu := "processors not recognised"
	if c, ok := inv.CPU.Get(); ok {
		cpu = c.Name
		if cpu == "" {
			cpu = c.Vendor + " " + c.Part
		}
		if n, ok := c.Cores.Get(); ok {
			cpu += ", " + plural(n, "core")
		}
		if m, priced := catalog.Default().CPU(c); !priced {
			why, _, _ := strings.Cut(m.Notes, ". ")
			cpu += " (" + strings.TrimSuffix(strings.ToLower(why[:1])+why[1:], ".") + ")"
		}
	}
	var order []string
	count := map[string]int{}
	for i := range inv.Devices {
		d := inv.Devices[i].Vendor + " " + inv.Devices[i].Name
		if count[d] == 0 {
			order = append(order, d)
		}
		count[d]++
	}
	found := "no accelerators found"
	for i, d := range order {
		if i == 0 {
			found = ""
		} else {
			found += ", "
		}
		found += fmt.Sprintf("%d × %s", count[d], d)
	}
	return printable(fmt.Sprintf("%s, %s, %s", name, cpu, found))
}
