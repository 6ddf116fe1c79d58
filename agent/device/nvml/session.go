//go:build linux && cgo

package nvml

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/exameter/exameter/agent/poll"
	"github.com/exameter/exameter/telemetry"
)

// session is one initialisation of NVML: from loading the library to unloading it. Handles are good within it alone.
type session struct {
	src      *Source
	drv      driver
	version  string // of the driver
	kern     kernel
	lib      fileID
	gpus     int // cards that the kernel driver has
	cards    []*card
	problem  error // what the operator should know of the cards found, as long as the session lasts
	watcher  *watcher
	checked  time.Time // when refused handles and new cards were looked for
	allLost  time.Time // since when no card answers
	shutDown chan struct{}
	failed   error // of the shutdown, once shutDown is closed
}

// newSession takes the identity of every card, which does not change within a session. It returns a session that can
// be closed even beside an error.
func (s *Source) newSession(drv driver, kern kernel) (*session, error) {
	ses := &session{
		src: s, drv: drv, version: s.driver, kern: kern, lib: identify(drv.file()),
		gpus: s.countGPUs(), checked: s.Now(), shutDown: make(chan struct{}),
	}
	n, c := drv.count()
	if c != nvml.SUCCESS {
		return ses, fmt.Errorf("count cards: %w", failure(c))
	}
	for i := range min(n, telemetry.MaxDevices) {
		d, c := drv.device(i)
		if c == nvml.ERROR_NO_PERMISSION {
			continue // the card belongs to another container
		}
		if c == nvml.ERROR_UNINITIALIZED || c == nvml.ERROR_DRIVER_NOT_LOADED || c == nvml.ERROR_LIB_RM_VERSION_MISMATCH {
			return ses, fmt.Errorf("open card %d: %w", i, failure(c))
		}
		one := &card{dev: d, refuse: c}
		if c != nvml.SUCCESS {
			one.dev = nil
		}
		one.info = s.describe(one.dev)
		one.info.Index = telemetry.Known(int64(i))
		ses.cards = append(ses.cards, one)
	}
	ses.name()
	if s.nvidia() { // XID errors are NVIDIA's; another vendor may number its own as it likes
		ses.watcher = watch(drv, ses.cards, s.xids, s.Log)
	}
	return ses, nil
}

// describe reads what identifies a card.
func (s *Source) describe(d device) telemetry.DeviceInfo {
	info := telemetry.DeviceInfo{Vendor: s.Vendor, Driver: s.driver, Source: s.Name()}
	if d == nil {
		return info
	}
	if v, c := d.uuid(); c == nvml.SUCCESS {
		info.ID = s.uuid(v)
	}
	if v, c := d.serial(); c == nvml.SUCCESS {
		info.Serial = serialText(v)
	}
	if v, c := d.name(); c == nvml.SUCCESS {
		info.Name = text(v)
	}
	if v, c := d.vbios(); c == nvml.SUCCESS {
		info.Firmware = text(v)
	}
	if v, c := d.pci(); c == nvml.SUCCESS {
		info.PCI = v.String()
	}
	if v, c := d.memory(); c == nvml.SUCCESS {
		info.Memory = v.totalBytes()
	}
	return info
}

// name gives every card its identity. One that cannot say its UUID, because it is lost, is recognised by its PCI
// address among the cards of earlier sessions and of the kernel driver, and where it cannot say that either, as the
// one that is left over. Nothing is invented: a card without identity is left out, and the reading says so.
func (ses *session) name() {
	taken := map[string]bool{}
	var nameless []*card
	for _, c := range ses.cards {
		if c.info.ID != "" && !taken[c.info.ID] {
			taken[c.info.ID] = true
			continue
		}
		if c.info.ID != "" {
			ses.problem = errors.Join(ses.problem, fmt.Errorf("two cards call themselves %s", c.info.ID))
			c.info.ID = ""
		}
		nameless = append(nameless, c)
	}
	if len(nameless) > 0 {
		ses.recognise(nameless, taken)
	}
	named := ses.cards[:0]
	for _, c := range ses.cards {
		if c.info.ID == "" {
			ses.problem = errors.Join(ses.problem, fmt.Errorf("card %d: %w, and nothing tells its identity", c.info.Index.Value, c.refused()))
			continue
		}
		past := ses.src.past[c.info.ID]
		if past == nil {
			past = &history{}
			ses.src.past[c.info.ID] = past
		}
		c.past = past
		named = append(named, c)
	}
	ses.cards = named
}

func (c *card) refused() error {
	if c.refuse == nvml.SUCCESS {
		return failure(nvml.ERROR_UNKNOWN)
	}
	return failure(c.refuse)
}

// recognise looks for the identity of cards that cannot tell it.
func (ses *session) recognise(nameless []*card, taken map[string]bool) {
	candidates := append([]telemetry.DeviceInfo(nil), ses.src.known...)
	for _, g := range ses.src.listGPUs() {
		candidates = append(candidates, telemetry.DeviceInfo{ID: g.uuid, Name: g.model, PCI: g.pci, Firmware: g.vbios})
	}
	for _, c := range nameless {
		for _, k := range candidates {
			if c.info.PCI != "" && k.PCI == c.info.PCI && k.ID != "" && !taken[k.ID] {
				c.adopt(k, taken)
				break
			}
		}
	}
	var rest []*card
	var free []telemetry.DeviceInfo
	places := map[string]bool{} // a card listed twice is one candidate
	for _, c := range ses.cards {
		places[c.info.PCI] = true
	}
	for _, k := range candidates {
		if k.PCI != "" && !places[k.PCI] && (k.ID == "" || !taken[k.ID]) {
			places[k.PCI] = true
			free = append(free, k)
		}
	}
	for _, c := range nameless {
		if c.info.ID == "" && c.info.PCI == "" {
			rest = append(rest, c)
		}
	}
	if len(rest) == len(free) {
		for i, c := range rest {
			c.adopt(free[i], taken)
		}
	}
	for _, c := range nameless {
		if c.info.ID == "" && c.info.Serial != "" && !taken[c.info.Vendor+"-"+c.info.Serial] {
			c.info.ID = c.info.Vendor + "-" + c.info.Serial
		}
		if c.info.ID == "" && !taken[c.info.PCI] {
			c.info.ID = c.info.PCI
		}
		taken[c.info.ID] = true
	}
}

// adopt takes over what another account says of this very card.
func (c *card) adopt(k telemetry.DeviceInfo, taken map[string]bool) {
	fill := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	fill(&c.info.ID, k.ID)
	fill(&c.info.Serial, k.Serial)
	fill(&c.info.Name, k.Name)
	fill(&c.info.PCI, k.PCI)
	fill(&c.info.Firmware, k.Firmware)
	if !c.info.Memory.OK {
		c.info.Memory = k.Memory
	}
	if c.info.ID != "" {
		taken[c.info.ID] = true
	}
}

// read samples all cards. Ended says that the driver will answer nothing more in this session.
func (ses *session) read(now time.Time) (r poll.Reading, err error, ended bool) {
	devices := make([]poll.DeviceReading, len(ses.cards))
	failures, lost := 0, 0
	err = ses.problem
	for i, c := range ses.cards {
		d, failure := c.read(now, ses.src.xids, ses.src.loads, ses.src.MIGMemoryFloor)
		if c.outcome.ends() {
			ended = true
		}
		if c.outcome.fatal == nvml.ERROR_GPU_IS_LOST {
			lost++
		}
		if failure != nil {
			if failures++; failures <= 3 {
				err = errors.Join(err, failure)
			}
		}
		devices[i] = d
		r.Notices = c.notices(r.Notices, ses.src.maker())
	}
	if failures > 3 {
		err = errors.Join(err, fmt.Errorf("and %d more cards", failures-3))
	}
	if lost == 0 || lost < len(ses.cards) {
		ses.allLost = time.Time{}
	} else if ses.allLost.IsZero() {
		ses.allLost = now
	}
	r.Devices = &poll.DevicesReading{Devices: devices}
	return r, err, ended
}

// outdated says why the session should give way to a new one, or nothing.
func (ses *session) outdated(now time.Time) string {
	s := ses.src
	if k := s.readKernel(); k != ses.kern {
		return "the kernel driver changed"
	}
	if identify(ses.drv.file()) != ses.lib {
		return "the library's file changed"
	}
	if now.Sub(ses.checked) < s.RetryEvery && !now.Before(ses.checked) {
		return ""
	}
	ses.checked = now
	if s.countGPUs() > ses.gpus {
		return "the kernel driver has more cards"
	}
	if !ses.allLost.IsZero() && now.Sub(ses.allLost) >= s.RetryEvery {
		return "every card is lost"
	}
	for _, c := range ses.cards {
		if c.dev != nil {
			continue
		}
		if _, ret := ses.drv.device(int(c.info.Index.Value)); ret == nvml.SUCCESS {
			return "a card that was refused answers"
		}
	}
	return ""
}

// close ends the session on a goroutine of its own, because the driver may hang in any of these calls. When it is over,
// shutDown is closed.
func (ses *session) close() {
	go func() {
		defer close(ses.shutDown)
		if ses.watcher != nil {
			ses.watcher.stop()
		}
		for _, c := range ses.cards {
			c.free()
		}
		if err := ses.drv.shutdown(); err != nil {
			ses.failed = fmt.Errorf("NVML: release the driver: %w", err)
		}
	}()
}

// ended reports whether a session that was closed too late is over by now.
func (ses *session) ended() bool {
	select {
	case <-ses.shutDown:
		return true
	default:
		return false
	}
}

// lower normalises a PCI address as the kernel writes it.
func lower(pci string) string { return strings.ToLower(strings.TrimSpace(pci)) }
