package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/netasync/netasync/session"
)

// Defaults of the options of sessions that can be resumed.
const (
	DefaultUnackedMessages = 16_384
	DefaultUnackedBytes    = 4 << 20
	DefaultResumeWindow    = 2 * time.Minute
	DefaultMaxDetached     = 10_000 // sessions
	maxTokenPrefix         = 32     // bytes
)

// fillUnacked validates Unacked and fills in its defaults.
func (p *plan) fillUnacked(b session.Buffer) (err error) {
	if b.Policy != session.PolicyFixed {
		return fmt.Errorf("netasync: Unacked.Policy is %d, want %d: what was sent is not dropped",
			b.Policy, session.PolicyFixed)
	}
	b.Cap = cmp.Or(b.Cap, DefaultUnackedMessages)
	p.Unacked, err = b.Resolve("Unacked", DefaultUnackedBytes)
	return err
}

// needsResume is the error of an option that is set and has no meaning.
func needsResume(field string) error {
	return fmt.Errorf("netasync: %s is set without Resume", field)
}

// resumes validates what Connect knows of resumption and fills in defaults.
func (p *plan) resumes(o *ConnectOptions) error {
	if !o.Resume {
		switch {
		case o.Unacked != session.Buffer{}:
			return needsResume("Unacked")
		case o.ResendLost:
			return needsResume("ResendLost")
		case o.FollowRedirect != nil:
			return needsResume("FollowRedirect")
		}
		return nil
	}
	p.Resume, p.ResendLost = true, o.ResendLost
	p.follow = guardFollow(o.FollowRedirect)
	return p.fillUnacked(o.Unacked)
}

// resumable validates what Listen knows of resumption and fills in defaults.
func (p *plan) resumable(o *ListenOptions) (err error) {
	if o.MaxDetached < 0 {
		return fmt.Errorf("netasync: MaxDetached is %d, want 0 or more", o.MaxDetached)
	}
	p.resumeWindow, err = orDefault("ResumeWindow", o.ResumeWindow, DefaultResumeWindow)
	if err != nil {
		return err
	}
	if !o.Resume {
		switch {
		case o.Unacked != session.Buffer{}:
			return needsResume("Unacked")
		case o.ResumeOnly:
			return needsResume("ResumeOnly")
		case o.ResumeWindow != 0:
			return needsResume("ResumeWindow")
		case o.MaxDetached != 0:
			return needsResume("MaxDetached")
		case len(o.TokenPrefix) > 0:
			return needsResume("TokenPrefix")
		case o.Route != nil:
			return needsResume("Route")
		case o.Redirect != nil:
			return needsResume("Redirect")
		}
		return nil
	}
	if len(o.TokenPrefix) > maxTokenPrefix {
		return fmt.Errorf("netasync: TokenPrefix has %d bytes, want %d or less", len(o.TokenPrefix), maxTokenPrefix)
	}
	if o.Route != nil && len(o.TokenPrefix) == 0 {
		return errors.New("netasync: Route is set without TokenPrefix")
	}
	if o.Redirect != nil && len(o.TokenPrefix) == 0 {
		return errors.New("netasync: Redirect is set without TokenPrefix")
	}
	p.tokenPrefix, p.route, p.redirect = bytes.Clone(o.TokenPrefix), o.Route, o.Redirect
	p.Resume, p.resumeOnly = true, o.ResumeOnly
	p.maxDetached = cmp.Or(o.MaxDetached, DefaultMaxDetached)
	return p.fillUnacked(o.Unacked)
}

// seconds is a window as a Welcome tells it.
func seconds(window time.Duration) uint32 {
	s := window / time.Second
	if window%time.Second > 0 {
		s++
	}
	return uint32(min(s, math.MaxUint32))
}

// errNoToken says that a connection that was welcomed brought no token.
var errNoToken = errors.New("netasync: the listener's welcome has no token")
