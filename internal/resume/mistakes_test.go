package resume

// mistakes are rules that do not hold. The model has to find each of them, by a fault that says so.
var mistakes = []struct {
	name     string
	scenario string
	fault    string
	set      func(*rules)
}{
	// Of who the dialer is.
	{
		"the nonce tells nothing", outages, "2 sessions at the listener",
		judging(func(h *Hello, k *Known, byToken bool) *Known {
			if !byToken {
				return nil
			}
			return k
		}),
	},
	{
		"the nonce tells nothing any more when the token was heard", outages, "2 sessions at the listener",
		judging(func(h *Hello, k *Known, byToken bool) *Known {
			if k != nil && !byToken && k.Heard {
				return nil
			}
			return k
		}),
	},
	{
		"numbers are not compared", outages, "no newer has taken over",
		func(r *rules) {
			judging(func(h *Hello, k *Known, byToken bool) *Known {
				if k != nil {
					k.Number = 0
				}
				return k
			})(r)
			r.claimsBlindly = true
		},
	},
	{
		"Claim does not compare numbers", outages, "no newer has taken over",
		func(r *rules) { r.claimsBlindly = true },
	},
	{
		"the number does not grow", outages, "no connection lasts",
		func(r *rules) { r.sameNumber = true },
	},
	{
		"a session begins after it was decided", outages, "2 sessions at the listener",
		func(r *rules) { r.beginsLater = true },
	},
	{
		"a session begins where the one that was found is over", expiry,
		"3 sessions at the listener, and 2 for",
		func(r *rules) { r.goneBegins = true },
	},
	{
		"a new session keeps the nonce", closing, "never heard has received",
		func(r *rules) { r.keepsNonce = true },
	},

	// Of what was received.
	{
		"data before Welcome", outages, "duplicate",
		func(r *rules) { r.dataBeforeWelcome = true },
	},
	{
		"received is not frozen", outages, "duplicate",
		func(r *rules) { r.countsOn = true },
	},
	{
		"a message is counted after its callback", outages, "duplicate",
		func(r *rules) { r.countsLate = true },
	},
	{
		"a message is acknowledged before it is counted", outages, "missing",
		func(r *rules) { r.acksRead = true },
	},
	{
		"a session found by its nonce takes the count of an earlier one", restarts, "disagreement",
		func(r *rules) { r.believesReceived = true },
	},

	// Of what is kept.
	{
		"what is written is not kept", outages, "missing",
		func(r *rules) { r.forgetsWritten = true },
	},
	{
		"what is kept is not sent again", outages, "not everything",
		func(r *rules) { r.sendsOnce = true },
	},
	{
		"what may be lost is sent again unasked", restarts, "duplicate",
		func(r *rules) { r.resendsUnasked = true },
	},
	{
		"what may be lost is not told", restarts, "accounts",
		func(r *rules) { r.hidesLost = true },
	},

	// Of how it ends.
	{
		"after an impossible Welcome the same Hello again", lapses, "no connection lasts",
		func(r *rules) { r.triesAgain = true },
	},
	{
		"the end of a connection takes the session from a newer one", outages, "without a session",
		func(r *rules) { r.losesNewer = true },
	},
	{
		"a claimed session expires", expiry, "without a session",
		func(r *rules) { r.expiresClaimed = true },
	},
	{
		"a session whose dialer was not heard expires early", outages, "1 lost, and nothing has ended",
		func(r *rules) { r.expiresUnheard = true },
	},
	{
		"a dialer that closes begins a session", closing, "no use",
		func(r *rules) { r.closesInNew = true },
	},
	{
		"Only is not looked at", closing, "no use",
		judging(func(h *Hello, k *Known, byToken bool) *Known {
			h.Only = false
			return k
		}),
	},
}

// judging returns rules whose Judge sees what f makes of a Hello and of what is known.
func judging(f func(h *Hello, k *Known, byToken bool) *Known) func(*rules) {
	return func(r *rules) {
		r.judge = func(
			h *Hello, k *Known, byToken bool, identity string, secure bool,
		) (Verdict, Code) {
			return Judge(h, f(h, k, byToken), byToken, identity, secure)
		}
	}
}
