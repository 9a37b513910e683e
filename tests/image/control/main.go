// A control server for tests, on upstream's own testcontrol: -listen ADDRESS -key KEY -dns ADDRESS.
//
// The first node is let in by the key and later ones anyhow, every route they advertise is approved, and the tailnet has
// MagicDNS with one record, and ADDRESS as its name server. GET /nodes tells as JSON who is there: one object for each
// node key that was ever registered, so that a login anew shows. A relay runs beside it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"tailscale.com/derp/derpserver"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/dnstype"
	"tailscale.com/types/key"
)

type node struct {
	Key      string
	Hostname string
	Address  string
	Routes   []netip.Prefix
}

func main() {
	listen := flag.String("listen", "", "address and port to serve http on")
	authKey := flag.String("key", "", "the key that lets nodes in")
	upstream := flag.String("dns", "", "name server of the tailnet")
	flag.Parse()

	host, _, err := net.SplitHostPort(*listen)
	if err != nil {
		log.Fatal(err)
	}
	server := &testcontrol.Server{
		Logf:            log.Printf,
		ExplicitBaseURL: "http://" + *listen,
		RequireAuthKey:  *authKey,
		MagicDNSDomain:  "tail.test",
		AllOnline:       true,
		DERPMap:         relay(host),
		DNSConfig: &tailcfg.DNSConfig{
			Proxied:      true,
			Domains:      []string{"tail.test"},
			Resolvers:    []*dnstype.Resolver{{Addr: *upstream}},
			ExtraRecords: []tailcfg.DNSRecord{{Name: "record.tail.test", Value: "192.0.2.77"}},
		},
	}
	go approve(server)

	mux := http.NewServeMux()
	mux.Handle("/", server)
	mux.HandleFunc("GET /nodes", func(w http.ResponseWriter, _ *http.Request) {
		nodes := []node{}
		for _, n := range server.AllNodes() {
			nodes = append(nodes, node{
				Key: n.Key.String(), Hostname: n.Hostinfo.Hostname(), Address: n.Addresses[0].Addr().String(),
				Routes: n.Hostinfo.RoutableIPs().AsSlice(),
			})
		}
		if err := json.NewEncoder(w).Encode(nodes); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(*listen, mux))
}

// approve grants what nodes advertise, as an administrator or a policy would. It also stops asking for the key once a node
// is in: upstream's server would ask for it again whenever a node that it knows comes back.
func approve(server *testcontrol.Server) {
	granted := map[key.NodePublic]string{}
	for range time.Tick(200 * time.Millisecond) {
		for _, n := range server.AllNodes() {
			server.RequireAuthKey = ""
			routes := n.Hostinfo.RoutableIPs().AsSlice()
			text, _ := json.Marshal(routes)
			if old, known := granted[n.Key]; old == string(text) || (!known && len(routes) == 0) {
				continue
			}
			granted[n.Key] = string(text)
			server.SetSubnetRoutes(n.Key, routes)
		}
	}
}

// relay starts a DERP server with a certificate of its own making.
func relay(host string) *tailcfg.DERPMap {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		log.Fatal(err)
	}
	quiet := func(string, ...any) {}
	https := httptest.NewUnstartedServer(derpserver.Handler(derpserver.New(key.NewNode(), quiet)))
	https.Listener.Close()
	https.Listener = listener
	https.StartTLS()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	// As JSON, since the types of its numbers have names in some releases only.
	text := fmt.Sprintf(`{"Regions": {"1": {"RegionID": 1, "RegionCode": "test", "Nodes": [{
		"Name": "1a", "RegionID": 1, "HostName": %[1]q, "IPv4": %[1]q, "IPv6": "none",
		"DERPPort": %[2]s, "STUNPort": -1, "InsecureForTests": true}]}}}`, host, port)
	relays := new(tailcfg.DERPMap)
	if err := json.Unmarshal([]byte(text), relays); err != nil {
		log.Fatal(err)
	}
	return relays
}
