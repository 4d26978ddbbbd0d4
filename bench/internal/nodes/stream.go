package nodes

import "context"

// stream sends to a name as fast as its session takes, by a RemoteSession. In the end it is asked what has become of
// all messages: each is to be queued.
func (n *node) stream(a args) (any, error) {
	to := n.Session(nameOf(0))
	r, err := flow(a, func(ctx context.Context, payload []byte) error {
		err := to.Send(ctx, payload)
		if err == nil {
			n.sender.queued.Add(1)
		}
		return err
	})
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r, to.Flush(ctx)
}
