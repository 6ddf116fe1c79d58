package replicas

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/exameter/exameter/collector/feed/httpfeed"
)

// lists is how lists of hosts went while a collector was dead.
type lists struct {
	pages, gaps int    // answers, and those that said that parts are missing
	longest     string // the longest an answer took
	err         error
}

// listed asks a replica for all hosts of centres whose cards stay where they are, again and again until nothing is missing and every card is
// listed. No card may be listed twice until then, and what is not listed must be owned up to.
func listed(r *replica, centres []string, within time.Duration) (l lists) {
	var longest time.Duration
	defer func() { l.longest = longest.Round(time.Millisecond).String() }()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		doc, err := r.ask()
		if err != nil {
			return lists{err: err}
		}
		rated := int64(0)
		for _, g := range doc.Groups {
			if !strings.HasPrefix(g.Centre, "moved-") {
				rated += g.Devices.Rated
			}
		}
		seen, missing, cursor := map[string]string{}, 0, ""
		for {
			asked := time.Now()
			page, err := r.hosts("centre=" + strings.Join(centres, "&centre=") + "&limit=1000" + cursor)
			if err != nil {
				l.err = err
				return l
			}
			longest = max(longest, time.Since(asked))
			l.pages++
			missing += len(page.Missing)
			for _, h := range page.Hosts {
				for _, d := range h.Devices {
					if other, twice := seen[d.ID]; twice && d.NotCounted == "" {
						l.err = fmt.Errorf("%s is listed on %s and on %s", d.ID, other, h.Host)
						return l
					}
					seen[d.ID] = h.Host
				}
			}
			if page.Next == "" {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(page.Next)
		}
		switch {
		case missing > 0:
			l.gaps++
		case int64(len(seen)) == rated && doc.Parts.Behind == 0:
			return l
		case int64(len(seen)) < rated && doc.Parts.Behind == 0:
			l.err = fmt.Errorf("%d cards are listed and nothing is missing, %d are rated", len(seen), rated)
			return l
		}
		if time.Since(begun) > within {
			l.err = fmt.Errorf("after %s: %d cards are listed, %d are rated, %d parts are missing", within, len(seen), rated, missing)
			return l
		}
	}
}

func (r *replica) hosts(query string) (*httpfeed.Hosts, error) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + r.addr + "/v1/hosts?" + query)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", resp.Status, body)
	}
	answer := &httpfeed.Hosts{}
	if err == nil {
		err = json.Unmarshal(body, answer)
	}
	return answer, err
}
