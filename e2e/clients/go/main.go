// The Go SDK, `github.com/modelcontextprotocol/go-sdk`: the story of `story.py`, signed in to by the SDK's own OAuth client
// (discovery, registration where it is open, code with PKCE). The person's browser is `sign_in.py`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const (
	server = "catalyst-center"
	// What the lab knows without registration.
	labClient = "interlock-lab"
	// Nobody listens there: the browser hands the code over before it gets there.
	redirect = "http://127.0.0.1:53682/callback"
)

type lab struct {
	URL    string            `json:"url"`
	Issuer string            `json:"issuer"`
	MCP    map[string]string `json:"mcp"`
}

type object = map[string]any

// reply is a tool's answer as the SDK hands it on.
type reply struct {
	isError    bool
	structured object
	text       string
}

func (r reply) code() string {
	code, _ := r.structured["code"].(string)
	return code
}

var passed, failed int

// that is one promise.
func that(name string, holds bool, seen any) {
	client := os.Getenv("INTERLOCK_CLIENT")
	if holds {
		passed++
		fmt.Printf("test %s::%s ... ok\n", client, name)
		return
	}
	failed++
	fmt.Printf("test %s::%s ... FAILED\n  saw: %.1000s\n", client, name, fmt.Sprintf("%+v", seen))
}

// script runs one of the Python scripts that play the person.
func script(name string, arguments ...string) (string, error) {
	var out, said bytes.Buffer
	command := exec.Command("python3", append([]string{filepath.Join(os.Getenv("INTERLOCK_SCRIPTS"), name)}, arguments...)...)
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, said.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// person signs in by itself.
type person struct {
	name    string
	signIns int
	session *mcp.ClientSession
}

func (p *person) fetchCode(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	p.signIns++
	back, err := script("sign_in.py", args.URL, "--user", p.name)
	if err != nil {
		return nil, err
	}
	where, err := url.Parse(back)
	if err != nil {
		return nil, err
	}
	query := where.Query()
	return &auth.AuthorizationResult{Code: query.Get("code"), State: query.Get("state"), Iss: query.Get("iss")}, nil
}

// registers says whether the issuer lets clients register themselves.
func registers(issuer string) (bool, error) {
	answer, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	var metadata struct {
		Registration string `json:"registration_endpoint"`
	}
	err = json.NewDecoder(answer.Body).Decode(&metadata)
	return metadata.Registration != "", err
}

func connect(ctx context.Context, l lab, name string) (*person, error) {
	p := &person{name: name}
	config := &auth.AuthorizationCodeHandlerConfig{RedirectURL: redirect, AuthorizationCodeFetcher: p.fetchCode}
	open, err := registers(l.Issuer)
	if err != nil {
		return nil, err
	}
	if open {
		config.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName:              "Interlock's suite (Go)",
				RedirectURIs:            []string{redirect},
				GrantTypes:              []string{"authorization_code", "refresh_token"},
				ResponseTypes:           []string{"code"},
				TokenEndpointAuthMethod: "none",
			},
		}
	} else {
		config.PreregisteredClient = &oauthex.ClientCredentials{ClientID: labClient}
	}
	handler, err := auth.NewAuthorizationCodeHandler(config)
	if err != nil {
		return nil, err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "interlock-suite", Version: "1.0.0"}, nil)
	p.session, err = client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: l.MCP[server], OAuthHandler: handler}, nil)
	return p, err
}

func (p *person) tools(ctx context.Context) ([]string, error) {
	var names []string
	for tool, err := range p.session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		names = append(names, tool.Name)
	}
	return names, nil
}

func (p *person) call(ctx context.Context, name string, arguments object) (reply, error) {
	result, err := p.session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", name, err)
	}
	answer := reply{isError: result.IsError}
	answer.structured, _ = result.StructuredContent.(object)
	if len(result.Content) > 0 {
		if text, ok := result.Content[0].(*mcp.TextContent); ok {
			answer.text = text.Text
		}
	}
	return answer, nil
}

// find is the first row that fits.
func find(rows []any, fits func(object) bool) (object, error) {
	for _, row := range rows {
		if row, ok := row.(object); ok && fits(row) {
			return row, nil
		}
	}
	return nil, errors.New("no row fits")
}

func play(ctx context.Context) error {
	var l lab
	text, err := os.ReadFile(os.Getenv("INTERLOCK_READY"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	vlan := 2000 + time.Now().Unix()%900
	line := fmt.Sprintf("\nvlan %d\n", vlan)

	alice, err := connect(ctx, l, "alice")
	if err != nil {
		return err
	}
	seen, err := alice.tools(ctx)
	if err != nil {
		return err
	}
	that("it_signs_in_by_itself", alice.signIns == 1, alice.signIns)
	has := func(name string) bool { return slices.Contains(seen, name) }
	that("an_engineer_sees_the_deployment", has("deploy_template") && has("get_all_templates") && has("list_devices"), seen)

	templates, err := alice.call(ctx, "get_all_templates", object{})
	if err != nil {
		return err
	}
	rows, _ := templates.structured["templates"].([]any)
	that("templates_come_in_the_articles_shape",
		!templates.isError && templates.structured["status"] == "success" && len(rows) > 0 && templates.structured["count"] == float64(len(rows)), templates)
	template, err := find(rows, func(row object) bool { return row["name"] == "access-vlan" })
	if err != nil {
		return err
	}

	devices, err := alice.call(ctx, "list_devices", object{"family": "Switches and Hubs", "role": "ACCESS", "reachability": "Reachable", "limit": 5})
	if err != nil {
		return err
	}
	items, _ := devices.structured["items"].([]any)
	that("devices_come_as_a_page", !devices.isError && len(items) > 0 && len(items) <= 5, devices)
	device, err := find(items, func(row object) bool { return row["software_type"] == "IOS-XE" })
	if err != nil {
		return err
	}
	configuration := func() (string, reply, error) {
		answer, err := alice.call(ctx, "get_device_config", object{"device_id": device["id"]})
		config, _ := answer.structured["config"].(string)
		return config, answer, err
	}
	before, answer, err := configuration()
	if err != nil {
		return err
	}
	that("the_line_is_not_there_yet", before != "" && !strings.Contains(before, line), answer)

	wrong, err := alice.call(ctx, "get_device", object{"device_id": 7})
	if err != nil {
		return err
	}
	that("invalid_arguments_are_an_answer_not_a_broken_call",
		wrong.isError && wrong.code() == "invalid_arguments" && strings.HasPrefix(wrong.text, "Refused (invalid_arguments)"), wrong)

	deployment := object{"template_id": template["template_id"], "device_id": device["id"],
		"params": object{"vlan_id": vlan, "vlan_name": fmt.Sprintf("GO%d", vlan)}}
	refused, err := alice.call(ctx, "deploy_template", deployment)
	if err != nil {
		return err
	}
	that("t11_a_deployment_is_refused_with_its_reason", refused.isError && refused.code() == "step_up_required", refused)
	link, _ := refused.structured["url"].(string)
	that("t11_the_refusal_says_the_word_the_code_and_the_link_in_its_text",
		strings.HasPrefix(refused.text, "Refused (step_up_required)") && link != "" && strings.Contains(refused.text, link), refused.text)

	fmt.Println("passing the second factor at", link)
	if _, err := script("pass_second_factor.py", link, "--user", "alice"); err != nil {
		return err
	}
	done, err := alice.call(ctx, "deploy_template", deployment)
	if err != nil {
		return err
	}
	status := done.structured["status"]
	that("t4_the_very_same_call_succeeds_afterwards", !done.isError && (status == "success" || status == "in_progress"), done)
	handle := done.structured["deployment_id"]
	for until := time.Now().Add(time.Minute); status == "in_progress" && time.Now().Before(until); {
		looked, err := alice.call(ctx, "get_deployment", object{"deployment_id": handle, "wait_s": 20})
		if err != nil {
			return err
		}
		status = looked.structured["status"]
	}
	that("the_deployment_ends_well", status == "success", status)
	polled, err := alice.call(ctx, "get_deployment", object{"deployment_id": handle, "wait_s": 20})
	if err != nil {
		return err
	}
	that("a_long_call_is_polled", !polled.isError && polled.structured["status"] == "success", polled)
	after, answer, err := configuration()
	if err != nil {
		return err
	}
	that("the_line_is_on_the_device", strings.Contains(after, line), answer)
	if err := alice.session.Close(); err != nil {
		return err
	}

	sam, err := connect(ctx, l, "sam")
	if err != nil {
		return err
	}
	fewer, err := sam.tools(ctx)
	if err != nil {
		return err
	}
	that("t10_the_service_desk_never_sees_the_deployment",
		!slices.Contains(fewer, "deploy_template") && slices.Contains(fewer, "list_devices"), fewer)
	one, err := sam.call(ctx, "list_devices", object{"limit": 1})
	if err != nil {
		return err
	}
	items, _ = one.structured["items"].([]any)
	that("the_service_desk_reads", !one.isError && len(items) == 1, one)
	return sam.session.Close()
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if err := play(ctx); err != nil {
		that("the_story_comes_to_its_end", false, err)
	}
	word := "ok"
	if failed > 0 {
		word = "FAILED"
	}
	fmt.Printf("test result: %s. %d passed; %d failed\n", word, passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
