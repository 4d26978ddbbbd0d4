// Package call makes calls by a session: requests and replies, from both ends at once, many at a time and in
// any order.
//
//	peer := call.New(session, call.Options{})
//	reply, err := peer.Call(ctx, request)                   // this end asks
//	err := peer.Serve(ctx, func(ctx context.Context, request []byte) ([]byte, error) { … }) // and answers
//
// Both ends make a [Peer] of their session. The session is a *netasync.Session with buffers of the default
// kind, without OnEvent, and not with both Resume and WhileDown: Refuse. From New on it belongs to its Peer,
// which reads all of its events: neither Recv, ReadChan, loops nor Send may be used on it any more. What stays
// the user's is to look at it (State, Stats, WaitConnected, Context) and to end it. What the two ends say to
// each other before calls begin, such as a login, is said on the session before New.
//
// # What becomes of a call
//
// A call has a reply, or an error that says what is known:
//
//   - [*RemoteError]: it was executed, and the handler returned an error.
//   - [ErrLost]: it may have been executed, once, or not. The connection broke, the session ended or ctx
//     did, after the session had taken the request, so that it may have been sent, and before a reply was
//     there. The error wraps that cause, too.
//   - any other error: it was not executed, and will not be. Among them are [ErrBusy], [ErrNotServed],
//     [session.ErrNotConnected], [session.ErrClosed], [session.ErrFrameTooLarge], and ctx's, if that ended
//     before the session had taken the request.
//
// So a call without ErrLost and without a RemoteError may be made again.
//
// No request is executed twice, with one exception that a user has to ask for, ConnectOptions.ResendLost. A
// reply belongs to its request, whatever is late, or comes from a former connection or another process.
//
// # Outages
//
// A plain dialed session begins anew with each connection. When one breaks, calls whose request was sent end
// with ErrLost, and handlers that work for that peer have their context ended, since nobody can have their
// replies. A request that was not sent yet goes out on the next connection, and its call goes on; so does
// one that is made meanwhile, unless [Options].FailFast is set. With ConnectOptions.WhileDown: Refuse neither
// waits: both end with ErrNotConnected.
//
// A session with Resume goes on: a call survives an outage at either end, and is executed once. Only when the
// session could not go on (Connected without Resumed: the peer was started anew, or stayed away for too
// long) it is as above. A plain accepted session has one connection, and its calls end with that.
//
// # Goroutines
//
// A Peer has one goroutine that reads, until the session has closed: close it, or the Peer. It never waits
// for anything but events, so that replies arrive whatever handlers do. Each request has a goroutine while it
// is handled, and Serve returns when those have ended. What the reader has to say, that it refuses a request
// for instance, is said by a further goroutine, which ends when all is said.
//
// The wire is specified in docs/call.md.
package call
