package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/exameter/exameter/client"
	"github.com/exameter/exameter/test/stub"
)

// example is a client of a made-up province. A program gives the addresses of its collectors instead.
func example() (c *client.Client, s *stub.Collector, end func()) {
	s = stub.New()
	srv := httptest.NewServer(s)
	c, err := client.New(client.Options{Addresses: []string{srv.URL}})
	if err != nil {
		log.Fatal(err)
	}
	return c, s, func() { srv.CloseClientConnections(); srv.Close() }
}

func ExampleNew() {
	authorities, err := client.LoadTLS("", "", "") // "/etc/exameter/ca.pem" and, for mutual TLS, a certificate with its key
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Options{
		Addresses: []string{"https://collector-1.example:8470", "https://collector-2.example:8470"},
		TLS:       authorities,
		TokenFile: "/run/credentials/dispatcher/exameter-token",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println("ready to ask either of them")
	// Output: ready to ask either of them
}

func ExampleClient_Capacity() {
	c, _, end := example()
	defer end()
	doc, err := c.Capacity(context.Background(), client.CapacityQuery{By: []string{"vendor"}, Filter: client.Filter{Domestic: []string{"yes"}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range doc.Groups {
		fmt.Printf("%s: %s of %s Eflops are free\n", g.Vendor, g.Eflops.Free, g.Eflops.Rated)
	}
	fmt.Printf("together %s, coverage %.0f %%\n", doc.Total.Eflops.Free, *doc.Total.Coverage*100)
	// Output:
	// huawei: 0.227104 of 0.33088 Eflops are free
	// hygon: 0.001568 of 0.03136 Eflops are free
	// together 0.228672, coverage 100 %
}

func ExampleClient_Match() {
	c, _, end := example()
	defer end()
	ctx := context.Background()
	q := client.MatchQuery{Count: 480, PerHost: 8, MemoryGiB: 64, MaxAge: 30 * time.Second, Filter: client.Filter{Domestic: []string{"yes"}}}
	m, err := c.Match(ctx, q)
	if err != nil {
		log.Fatal(err)
	}
	if m.Fits {
		best := m.Pools[0]
		fmt.Printf("start in %s/%s: %d gangs of 8 %s are free, %d are needed\n", best.Centre, best.Cluster, best.Gangs, best.Model, *best.GangsNeeded)
	}
	q.Count = 512
	if m, err = c.Match(ctx, q); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Fits, m.Short)
	// Output:
	// start in guian-north/train: 61 gangs of 8 huawei-ascend-910b2 are free, 60 are needed
	// false it fits in none of 3 pools; the best needs 64 hosts with 8 free and has 61
}

func ExampleClient_Watch() {
	c, province, end := example()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	q := client.CapacityQuery{By: []string{"centre"}, Filter: client.Filter{Centre: []string{"guian-south"}, Vendor: []string{"huawei"}}}
	for update, err := range c.Watch(ctx, q) {
		switch {
		case err != nil:
			log.Fatal(err) // the question is wrong, or collectors have no stream
		case update.Trouble != nil:
			fmt.Println("the figures are getting old:", update.Trouble)
			continue
		}
		free := update.Capacity.Total.Devices.Free
		fmt.Println(free, "devices are free")
		if free == 96 {
			province.Set("guian-south", "huawei-ascend-910b2", 40) // a large job ends
			continue
		}
		break
	}
	// Output:
	// 96 devices are free
	// 320 devices are free
}

func ExampleProblem() {
	c, _, end := example()
	defer end()
	_, err := c.Get(context.Background(), "v1/nothing", nil)
	var problem *client.Problem
	if errors.As(err, &problem) {
		fmt.Println(problem.Status, problem.Detail)
	}
	// Output: 404 there is nothing at "/v1/nothing"
}
