package debugpage

import (
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/netasync/netasync/session"
)

//go:embed page
var files embed.FS

// templates are the pages. What peers control is escaped by them, and shown as session.Quoted has it:
// characters that are not printed could make a line of the page read otherwise.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"ago":     ago,
	"bytes":   bytesText[int],
	"bytes64": bytesText[uint64],
	"count":   countText[int],
	"count64": countText[uint64],
	"clock":   func(t time.Time) string { return t.Format("2006-01-02 15:04:05.000") },
	"link":    linkTo,
	"now":     func(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") },
	"pair":    func(v view, l list) tableView { return tableView{v, l} },
	"ref":     func(root string, source int, id uint64) ref { return ref{root, source, id} },
	"orders":  func() []order { return orders },
	"quoted":  session.Quoted,
	"reasons": reasons,
	"states":  func() []session.State { return states },
}).ParseFS(files, "page/*.html"))

// view is what a page is given.
type view struct {
	Root  string // of the links
	Page  string
	Now   time.Time
	Query url.Values
	Data  any
}

// What the parts of pages are given.
type (
	tableView struct {
		View view
		List list
	}
	link struct {
		Href, Title string
		Sorted      string // of aria-sort; empty: the list is sorted by another column
	}
	ref struct {
		Root   string
		Source int
		ID     uint64
	}
)

// linkTo returns the link that sorts the list by a column.
func linkTo(l list, order, title string) link {
	to := link{Href: l.with("sort", order), Title: title}
	switch {
	case l.Sort != order:
	case order == "name":
		to.Sorted = "ascending"
	default:
		to.Sorted = "descending"
	}
	return to
}

// JSON returns the link to the same as JSON.
func (v view) JSON() string { return query(v.Query, "format", "json") }

// Lasted returns how long a session was open that has closed.
func (d details) Lasted() string { return ago(d.Closed.Sub(d.Opened)) }

// Since returns how long ago something was, for a person.
func (v view) Since(t time.Time) string { return ago(v.Now.Sub(t)) }

// Idle returns for how long a session has been silent.
func (v view) Idle(r Row) string {
	last := r.LastReceived
	if r.LastSent != nil && (last == nil || r.LastSent.After(*last)) {
		last = r.LastSent
	}
	if last == nil {
		return ""
	}
	return v.Since(*last)
}

// Next and Previous return the links to the sessions around those that are shown, or nothing.
func (l list) Next() string {
	if l.Offset+l.Limit >= l.Matching {
		return ""
	}
	return l.with("offset", strconv.Itoa(l.Offset+l.Limit))
}

func (l list) Previous() string {
	if l.Offset == 0 {
		return ""
	}
	return l.with("offset", strconv.Itoa(max(0, min(l.Offset, l.Matching)-l.Limit)))
}

// First and Last number the sessions that are shown, from 1.
func (l list) First() int { return min(l.Offset+1, l.Matching) }
func (l list) Last() int  { return l.Offset + len(l.Sessions) }

// with returns the query of a link: the present one with another value. Another order begins anew.
func (l list) with(key, value string) string {
	v := maps.Clone(l.query)
	v.Del("offset")
	return "sessions" + query(v, key, value)
}

// parameters are those that links keep: others would be repeated in each of them.
var parameters = []string{"sort", "state", "name", "q", "offset", "limit", "source"}

// query returns that of a link: the present one with another value.
func query(present url.Values, key, value string) string {
	v := url.Values{}
	for _, name := range parameters {
		if text := present.Get(name); text != "" {
			v.Set(name, text)
		}
	}
	v.Set(key, value)
	return "?" + v.Encode()
}

// Sum returns the sums for the head of the page.
func (o Overview) Sum() (sum Named) {
	for _, n := range o.Names {
		sum.Connected += n.Connected
		sum.Received += n.Received
		sum.Sent += n.Sent
		sum.QueuedBytes += n.QueuedBytes
		sum.UnreadBytes += n.UnreadBytes
		sum.Dropped += n.Dropped + n.Lost + n.Unsent
	}
	return sum
}

// ago writes a duration as a person does: with one unit, or two.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %02d h", int(d.Hours())/24, int(d.Hours())%24)
}

type integer interface{ ~int | ~uint64 }

// bytesText writes a number of bytes.
func bytesText[T integer](n T) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if v /= 1 << 10; v < 1<<10 {
			break
		}
	}
	digits := 2
	switch {
	case v >= 100:
		digits = 0
	case v >= 10:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}

// countText writes a number with commas.
func countText[T integer](n T) string {
	text := fmt.Sprint(n)
	var out strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	return out.String()
}
