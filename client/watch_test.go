package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// streaming is a stub of one collector's stream: each connection gets the next script, and hangs at the end of it unless the
// script closes it.
type streaming struct {
	mu      sync.Mutex
	scripts [][]string
	resumed []string // Last-Event-ID of each connection
}

func (s *streaming) start(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.resumed = append(s.resumed, r.Header.Get("Last-Event-ID"))
		if e := r.Header.Get("Accept-Encoding"); e != "identity" {
			t.Errorf("events are asked for as %q", e)
		}
		var script []string
		if len(s.scripts) > 0 {
			script, s.scripts = s.scripts[0], s.scripts[1:]
		}
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w)
		for _, text := range script {
			if text == "end" {
				return
			}
			fmt.Fprint(w, text)
			_ = flush.Flush()
		}
		_ = flush.Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func group(centre string, free int) string {
	return fmt.Sprintf(`{"centre":%q,"devices":{"free":%d},"eflops":{"free":0.001}}`, centre, free)
}

func snapshotEvent(revision int, groups ...string) string {
	return fmt.Sprintf("event: snapshot\nid: %d\ndata: {\"revision\":%d,\"as_of\":\"2026-11-23T08:%02d:%02dZ\",\"by\":[\"centre\"],\ndata: \"total\":{\"devices\":{\"free\":%d}},\"groups\":[%s]}\n\n",
		revision, revision, revision/60, revision%60, revision, strings.Join(groups, ","))
}

func deltaEvent(revision int, gone string, groups ...string) string {
	return fmt.Sprintf("event: delta\nid: %d\ndata: {\"revision\":%d,\"as_of\":\"2026-11-23T08:%02d:%02dZ\",\"total\":{\"devices\":{\"free\":%d}},\"groups\":[%s],\"gone\":[%s]}\n\n",
		revision, revision, revision/60, revision%60, revision, strings.Join(groups, ","), gone)
}

// told is an update in one line.
func told(u Update) string {
	if u.Trouble != nil {
		return "trouble"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d", u.Capacity.Revision)
	if u.Snapshot {
		b.WriteString("!")
	}
	for _, g := range u.Capacity.Groups {
		fmt.Fprintf(&b, " %s=%d", g.Centre, g.Devices.Free)
	}
	return b.String()
}

// follow watches until so many updates were told.
func follow(t *testing.T, c *Client, n int) (out []string, troubles []error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for u, err := range c.Watch(ctx, CapacityQuery{By: []string{"centre"}}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, told(u))
		if u.Trouble != nil {
			troubles = append(troubles, u.Trouble)
		}
		if len(out) == n {
			break
		}
	}
	if len(out) < n {
		t.Fatalf("told %v, want %d updates", out, n)
	}
	return out, troubles
}

func TestWatch(t *testing.T) {
	one := &streaming{scripts: [][]string{{
		": hello\n\n", snapshotEvent(5, group("a", 1), group("c", 3)), deltaEvent(6, "", group("b", 2)), ":\n\n",
		deltaEvent(7, `{"centre":"a"}`, group("c", 4)), deltaEvent(7, `{"centre":"c"}`), "event: later\ndata: x\n\n", deltaEvent(8, ""),
	}}}
	got, _ := follow(t, of(t, Options{Addresses: []string{one.start(t)}}), 4)
	if want := "5! a=1 c=3|6 a=1 b=2 c=3|7 b=2 c=4|8 b=2 c=4"; strings.Join(got, "|") != want {
		t.Errorf("told %s, want %s", strings.Join(got, "|"), want)
	}
}

// TestWatchResumes goes on at the next collector where the first one breaks off, says bye, or is behind.
func TestWatchResumes(t *testing.T) {
	one := &streaming{scripts: [][]string{
		{snapshotEvent(5, group("a", 1)), deltaEvent(6, "", group("a", 2)), "event: delta\ndata: {\"revis", "end"},
		{snapshotEvent(4, group("a", 0))}, // it is behind: nobody shall be told so
		{deltaEvent(9, "", group("a", 9))},
	}}
	other := &streaming{scripts: [][]string{
		{deltaEvent(6, "", group("a", 2)), deltaEvent(7, "", group("a", 3)), "event: bye\ndata: {\"reason\":\"reads too slowly\"}\n\n"},
		{snapshotEvent(8, group("a", 4)), "end"},
	}}
	got, troubles := follow(t, of(t, Options{Addresses: []string{one.start(t), other.start(t)}}), 8)
	if want := "5! a=1|6 a=2|trouble|7 a=3|trouble|trouble|8! a=4|trouble"; strings.Join(got, "|") != want {
		t.Errorf("told %s, want %s", strings.Join(got, "|"), want)
	}
	if !strings.Contains(troubles[1].Error(), "reads too slowly") || !errors.Is(troubles[2], ErrBehind) {
		t.Errorf("troubles %v", troubles)
	}
	if got := strings.Join(append(one.resumed, other.resumed...), ","); got != ",7,6,7" {
		t.Errorf("resumed after %s", got)
	}
}

// TestWatchSilence leaves a stream that says nothing, and says so itself.
func TestWatchSilence(t *testing.T) {
	one := &streaming{scripts: [][]string{{snapshotEvent(5, group("a", 1))}, {snapshotEvent(6, group("a", 2))}}}
	c := of(t, Options{Addresses: []string{one.start(t)}})
	c.silence = 100 * time.Millisecond
	got, troubles := follow(t, c, 3)
	if want := "5! a=1|trouble|6! a=2"; strings.Join(got, "|") != want || !strings.Contains(troubles[0].Error(), "was silent") {
		t.Errorf("told %s, %v", strings.Join(got, "|"), troubles)
	}
}

// TestWatchBeginsAnew where a collector does not know the place to resume at.
func TestWatchBeginsAnew(t *testing.T) {
	one := &streaming{scripts: [][]string{{snapshotEvent(5, group("a", 1)), "end"}, {snapshotEvent(6, group("a", 2))}}}
	good := one.start(t)
	var resumed []string
	var mu sync.Mutex
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if resumed = append(resumed, r.Header.Get("Last-Event-ID")); r.Header.Get("Last-Event-ID") != "" {
			refuses(400, "", "Last-Event-ID: is not the id of an event")(w, r)
			return
		}
		http.Redirect(w, r, good, http.StatusBadGateway)
	}))
	t.Cleanup(gate.Close)
	got, troubles := follow(t, of(t, Options{Addresses: []string{good, gate.URL}}), 4)
	if want := "5! a=1|trouble|trouble|6! a=2"; strings.Join(got, "|") != want || !strings.Contains(troubles[1].Error(), "begin anew") {
		t.Errorf("told %s, %v, resumed %v", strings.Join(got, "|"), troubles, resumed)
	}
	if strings.Join(one.resumed, ",") != "," {
		t.Errorf("resumed %v", one.resumed)
	}
}

func TestWatchEnds(t *testing.T) {
	watch := func(o Options) (updates int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, e := range of(t, o).Watch(ctx, CapacityQuery{}) {
			if updates++; e != nil {
				err = e
			}
		}
		return updates, err
	}
	wrong, _ := collector(t, refuses(400, "", "by: no"))
	if n, err := watch(Options{Addresses: []string{wrong}}); n != 1 || statusOf(err) != 400 {
		t.Errorf("a wrong question: %d updates, %v", n, err)
	}
	// Where one collector has no stream the next is asked; where none has, the watch ends.
	old, _ := collector(t, refuses(404, "", "nothing there"))
	if n, err := watch(Options{Addresses: []string{old, old}}); n != 2 || !IsNotThere(err) {
		t.Errorf("no stream: %d updates, %v", n, err)
	}
	large := &streaming{scripts: [][]string{{"data: " + strings.Repeat("x", 5000)}}}
	if n, err := watch(Options{Addresses: []string{large.start(t)}, MaxAnswer: 1000}); n != 1 || err == nil {
		t.Errorf("an endless event: %d updates, %v", n, err)
	}
	// A watch of nobody ends with its context, and does not spin until then.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	n, begun := 0, time.Now()
	for u, err := range of(t, Options{Addresses: []string{nobody}}).Watch(ctx, CapacityQuery{}) {
		if n++; err != nil || u.Trouble == nil || u.Capacity != nil {
			t.Errorf("%+v, %v", u, err)
		}
	}
	if took := time.Since(begun); n < 2 || n > 12 || took < 900*time.Millisecond || took > 3*time.Second {
		t.Errorf("%d tries in %s", n, took)
	}
}

// TestWatchDoesNotSpin asks a collector that ends every stream at once a few times a second, not thousands.
func TestWatchDoesNotSpin(t *testing.T) {
	one := &streaming{}
	for i := range 1000 {
		one.scripts = append(one.scripts, []string{snapshotEvent(i, group("a", 1)), "end"})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for range of(t, Options{Addresses: []string{one.start(t)}}).Watch(ctx, CapacityQuery{}) {
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if n := len(one.resumed); n < 2 || n > 12 {
		t.Errorf("connected %d times in a second", n)
	}
}
