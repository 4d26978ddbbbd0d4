// Package chaos is a test: sessions talk in both directions, in every way to consume, while a faulty
// proxy and a server process that is killed and stopped stand between them. Nothing may be doubled,
// disordered or altered, and in the end everything is back where it began.
//
//	go test ./e2e/chaos -chaos 60s           as long as is wanted
//	go test ./e2e/chaos -seed 4711           the same plan of faults again, as far as time allows
//
// The test's binary is the server, too: TestMain runs it when the environment says so.
package chaos
