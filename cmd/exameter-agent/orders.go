package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/agent/state"
)

// orders are the flags that drain, undrain and forget share.
type orders struct {
	device, dir string
}

func (p *program) orderFlags(c *cobra.Command, device bool) *orders {
	o := &orders{}
	c.Flags().StringVar(&o.dir, "state", "", "state directory (default: the configured one, else "+state.DefaultDir+")")
	if device {
		c.Flags().StringVarP(&o.device, "device", "d", "", "id or index of one device (default: the whole host)")
	}
	return o
}

func (p *program) drainCommand() *cobra.Command {
	var release bool
	c := &cobra.Command{
		Use: "drain REASON", Short: "Take this host, or one device of it, out of what is handed out",
		Long: "Drains the whole host, or one device with --device: it is reported as drained until it is undrained, also across\n" +
			"restarts. A running agent reports it within a second. With --release-driver the agent also lets go of the drivers,\n" +
			"so that they can be unloaded or devices be reset.",
		Args: cobra.MinimumNArgs(1),
	}
	o := p.orderFlags(c, true)
	c.Flags().BoolVar(&release, "release-driver", false, "let go of the drivers of all devices as well")
	c.RunE = p.do(func(_ context.Context, args []string) error {
		reason := strings.Join(args, " ")
		if err := state.ValidReason(reason); err != nil {
			return &misuse{err}
		}
		if release && o.device != "" {
			return &misuse{errors.New("--release-driver concerns all devices and does not go with --device")}
		}
		now := time.Now()
		return p.order(o, now, func(orders *state.Orders, id string) string {
			orders.Drain(id, state.Drain{Reason: reason, Since: now.UTC(), ReleaseDriver: release})
			return p.whom(id) + " is drained: " + reason
		})
	})
	return c
}

func (p *program) undrainCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "undrain", Short: "Hand this host, or one device of it, out again",
		Long: "Withdraws an order to drain. Faults that stick (fatal XIDs, memory errors counted so far) are declared over as well:\n" +
			"on one device with --device, else on all. Orders on single devices stay when the host is undrained.",
		Args: cobra.NoArgs,
	}
	o := p.orderFlags(c, true)
	c.RunE = p.do(func(context.Context, []string) error {
		now := time.Now()
		return p.order(o, now, func(orders *state.Orders, id string) string {
			text := p.whom(id) + " was not drained; faults that stuck are declared over"
			if orders.Undrain(id, now.UTC()) {
				text = p.whom(id) + " is no longer drained"
			}
			if still := orders.Drained(); id == "" && len(still) > 0 {
				text += "; still drained by orders of their own: " + strings.Join(still, ", ")
			}
			if id != "" && orders.Host != nil {
				text += "; the host still is: " + orders.Host.Reason
			}
			return text
		})
	})
	return c
}

func (p *program) forgetCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "forget DEVICE", Short: "Strike off a device that was taken out for good",
		Long: "A device that was seen once and is gone is reported as faulty (missing). When it was taken out for good, this strikes\n" +
			"it off. Should it come back, it is a device like any other.",
		Args: cobra.ExactArgs(1),
	}
	o := p.orderFlags(c, false)
	c.RunE = p.do(func(_ context.Context, args []string) error {
		o.device = args[0]
		now := time.Now()
		return p.order(o, now, func(orders *state.Orders, id string) string {
			orders.Forget(id, now.UTC())
			return p.whom(id) + " is forgotten"
		}, mustBeMissing)
	})
	return c
}

func (p *program) whom(id string) string {
	if id == "" {
		return "this host"
	}
	return "device " + id
}

// order changes the orders in the state directory and says what became of it.
func (p *program) order(o *orders, now time.Time, change func(*state.Orders, string) string, checks ...func(state.Device) error) error {
	dir := o.dir
	if dir == "" {
		c, _, err := p.config()
		if err != nil {
			return err
		}
		dir = c.Paths.State
	}
	s := &state.Store{Dir: dir}
	id := ""
	if o.device != "" {
		d, err := find(&state.Store{Dir: dir, Look: true}, o.device)
		if err != nil {
			return plain(dir, err)
		}
		for _, check := range checks {
			if err := check(d); err != nil {
				return err
			}
		}
		id = d.Info.ID
	}
	var text string
	err := s.EditOrders(now.UTC(), func(orders *state.Orders) error {
		text = change(orders, id)
		return nil
	})
	if err != nil {
		return plain(dir, err)
	}
	_, err = fmt.Fprintln(p.stdout, text)
	return err
}

// find looks a device up by its id or index among those the agent has seen.
func find(s *state.Store, name string) (state.Device, error) {
	devices, err := s.Devices()
	if err != nil {
		return state.Device{}, err
	}
	var known []string
	for _, d := range devices {
		index, ok := d.Info.Index.Get()
		if d.Info.ID == name || ok && strconv.FormatInt(index, 10) == name {
			return d, nil
		}
		known = append(known, d.Info.ID)
	}
	if len(known) == 0 {
		return state.Device{}, fmt.Errorf("device %q is not known: the agent has seen no device on this host", name)
	}
	return state.Device{}, fmt.Errorf("device %q is not known; the agent has seen %s", name, strings.Join(known, ", "))
}

func mustBeMissing(d state.Device) error {
	if d.Missing {
		return nil
	}
	return fmt.Errorf("device %s is there: only one that is missing can be forgotten", d.Info.ID)
}

// plain says in plain words why the state directory cannot be used.
func plain(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not write to %s: try again as root (%w)", dir, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s: no agent has run on this host, or it keeps its state elsewhere (--state, --config)", dir)
	}
	return err
}
