package calls

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// grpcCalls are unary calls of gRPC, whose message is the well-known one of some bytes: what protoc would write
// for the service stands here by hand.
var grpcCalls = Library{Serve: serveGRPC, Dial: dialGRPC}

const grpcMethod = "/bench.Calls/Call"

func serveGRPC() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Calls", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: answerGRPC}},
	}, struct{}{})
	go func() { _ = s.Serve(ln) }()
	return ln.Addr().String(), nil
}

//nolint:revive // the order of its parameters is that of gRPC
func answerGRPC(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(wrapperspb.BytesValue)
	return request, decode(request)
}

func dialGRPC(addr string) (Call, error) {
	c, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, request []byte) ([]byte, error) {
		reply := new(wrapperspb.BytesValue)
		err := c.Invoke(ctx, grpcMethod, wrapperspb.Bytes(request), reply)
		return reply.GetValue(), err
	}, nil
}
