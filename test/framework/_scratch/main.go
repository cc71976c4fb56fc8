package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/latchkey-dev/latchkey/test/framework"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	c, err := framework.Start(ctx)
	if err != nil {
		panic(err)
	}
	defer c.Stop(true)
	k, _ := c.Controller("controller", "--key-check-interval=300ms", "--reseal-rate=1000")
	s, _ := c.Server("server")
	if err := k.Launch(ctx); err != nil {
		panic(err)
	}
	s.Launch(ctx)
	fmt.Println(k.AwaitReady(ctx), s.AwaitReady(ctx), c.AwaitAdmission(ctx))
	os.WriteFile("/tmp/scratch-env", []byte("DIR="+c.Dir+"\nexport KUBECONFIG="+c.Dir+"/admin.kubeconfig\n"), 0o600)
	fmt.Println("up", c.Dir)
	<-ctx.Done()
}
