package storm

import (
	"testing"
	"time"
)

func TestWatchSeesEverySessionTalkTwice(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		again := make(chan struct{})
		fleet := func(_ string, n int, talks func(int)) error {
			go func() {
				for range 2 {
					for session := range n {
						talks(session)
					}
					<-again
				}
			}()
			return nil
		}
		connected := false
		times, err := Watch(fleet, "", n, 5*time.Second, func() error {
			connected = true
			close(again)
			return nil
		})
		if err != nil || !connected || times.Half.IsZero() || times.All.Before(times.Half) {
			t.Errorf("%d sessions: %+v, %v", n, times, err)
		}
	}
}

func TestWatchGivesUp(t *testing.T) {
	silent := func(string, int, func(int)) error { return nil }
	if _, err := Watch(silent, "", 3, 10*time.Millisecond, func() error { return nil }); err == nil {
		t.Error("waited for nobody and was content")
	}
}
