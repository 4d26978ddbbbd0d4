package cli

import "fmt"

// CheckDescriptors is an error if n of what a flag counts could use up the descriptors of the process:
// each takes some, and some are spared for everything else. Where the limit is not known it is nil.
func CheckDescriptors(flag string, n, each, spare int) error {
	limit, known := descriptors()
	if most := (int64(limit) - int64(spare)) / int64(each); known && int64(n) > most {
		return fmt.Errorf("%s is %d, but %d descriptors suffice for %d: raise ulimit -n", flag, n, limit, max(most, 0))
	}
	return nil
}
