// Verifies access tokens of jwt-auth-bridge with golang-jwt. The library parses, holds the algorithm to the list
// that it is given, verifies the signature, and validates issuer, audience and times; the rest is here, under the
// number of its rule in access-token.md, section 3.
//
// It reads lines of {"token": …} and answers each {"ok": true, "subject": …} or {"ok": false, "reason": …}:
//
//	export JWT_BRIDGE_ISSUER=https://app.example.com JWT_BRIDGE_AUDIENCE=https://api.example.com
//	export JWT_BRIDGE_KEYS="$(npx jwt-auth-bridge key)"     # or the public key set that the web app serves
//	go run . < tokens
//
// A service takes everything but main.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// Policy is what one API accepts. Leeway is the allowed difference of clocks; MaximumLifetime bounds exp − iat.
type Policy struct {
	Issuer, Audience        string
	Keys                    map[string]Key
	Leeway, MaximumLifetime time.Duration
}

// Key is a verification key and the one algorithm that it is for.
type Key struct {
	Algorithm string
	Material  any
}

// three segments of base64url, none empty [V2]
var compact = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// Verify gives the user's ID, or why the token is refused: for the log, never for the caller.
func (p Policy) Verify(text string, now time.Time) (string, error) {
	if len(text) > 8192 || !compact.MatchString(text) { // [V1] [V2]
		return "", errors.New("no compact JWS")
	}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(
		jwt.WithStrictDecoding(),                         // [V2] no stray bits
		jwt.WithValidMethods(p.algorithms()),             // [V5]
		jwt.WithIssuer(p.Issuer),                         // [V12]
		jwt.WithAudience(p.Audience),                     // [V13]
		jwt.WithLeeway(p.Leeway),                         // [V15] [V16]
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), // [V15] [V16]
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	if _, err := parser.ParseWithClaims(text, claims, p.key); err != nil {
		return "", err
	}
	return p.validate(claims)
}

// key gives the one key that the header names, before the signature is verified with it.
func (p Policy) key(token *jwt.Token) (any, error) {
	if has(token.Header, "crit") || has(token.Header, "b64") { // [V4]
		return nil, errors.New("crit or b64 in the header")
	}
	typ, _ := token.Header["typ"].(string)
	if typ = lower(typ); typ != "at+jwt" && typ != "application/at+jwt" { // [V6]
		return nil, errors.New("typ is not at+jwt")
	}
	kid, _ := token.Header["kid"].(string)
	key, known := p.Keys[kid] // [V7]
	if !known {
		return nil, errors.New("no key has this kid")
	}
	if key.Algorithm != token.Method.Alg() { // [V7] the key decides, never the token
		return nil, errors.New("the key is not for this algorithm")
	}
	return key.Material, nil
}

// validate checks the claims that the library leaves to us.
func (p Policy) validate(claims jwt.MapClaims) (string, error) {
	for _, name := range []string{"iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"} { // [V10]
		if !has(claims, name) {
			return "", fmt.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"iss", "sub", "user_id", "client_id", "jti", "sid"} { // [V11]
		if text, isText := claims[name].(string); has(claims, name) && (!isText || text == "") {
			return "", fmt.Errorf("%s is no text", name)
		}
	}
	if list, isList := claims["aud"].([]any); isList { // [V11]
		for _, entry := range list {
			if text, isText := entry.(string); !isText || text == "" {
				return "", errors.New("aud holds what is no text")
			}
		}
	}
	for _, name := range []string{"iat", "exp", "nbf"} { // [V11]
		number, isNumber := claims[name].(float64)
		if has(claims, name) && (!isNumber || number < 0 || number > 253402300799) {
			return "", fmt.Errorf("%s is no date", name)
		}
	}
	subject := claims["sub"].(string)
	control := func(r rune) bool { return r < 0x20 || 0x7f <= r && r <= 0x9f }
	if utf8.RuneCountInString(subject) > 255 || strings.IndexFunc(subject, control) >= 0 { // [V11]
		return "", errors.New("sub is too long, or holds a control character")
	}
	if claims["user_id"] != claims["sub"] || claims["client_id"] != claims["iss"] || has(claims, "cnf") { // [V14]
		return "", errors.New("user_id is not sub, client_id is not iss, or there is a cnf")
	}
	lifetime := claims["exp"].(float64) - claims["iat"].(float64)
	if lifetime <= 0 || lifetime > p.MaximumLifetime.Seconds() { // [V17]
		return "", errors.New("exp − iat is out of range")
	}
	return subject, nil
}

func (p Policy) algorithms() (names []string) {
	for _, key := range p.Keys {
		names = append(names, key.Algorithm)
	}
	return names
}

func has(object map[string]any, name string) bool { _, found := object[name]; return found }

// lower folds ASCII alone: strings.ToLower would take the Kelvin sign for a k.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// parseKeys reads a JWK Set: your own, and so trusted. Two entries with one kid name no key [V7].
func parseKeys(text string) (map[string]Key, error) {
	var set struct {
		Keys []struct {
			Kty, Kid, Use, Crv, K, X, Y, N, E, D string
			Operations                           []string `json:"key_ops"`
		}
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nil, errors.New("JWT_BRIDGE_KEYS is no JWK Set")
	}
	bytes := func(text string) []byte {
		decoded, _ := base64.RawURLEncoding.DecodeString(text)
		return decoded
	}
	integer := func(text string) *big.Int { return new(big.Int).SetBytes(bytes(text)) }
	keys, seen := map[string]Key{}, map[string]int{}
	for _, jwk := range set.Keys {
		seen[jwk.Kid]++
		other := jwk.Use != "" && jwk.Use != "sig" || jwk.Operations != nil && !contains(jwk.Operations, "verify")
		if other || jwk.D != "" { // one that is for something else, or a private key
			continue
		}
		switch jwk.Kty + " " + jwk.Crv {
		case "oct ":
			if len(bytes(jwk.K)) >= 32 {
				keys[jwk.Kid] = Key{"HS256", bytes(jwk.K)}
			}
		case "OKP Ed25519":
			if len(bytes(jwk.X)) == ed25519.PublicKeySize {
				keys[jwk.Kid] = Key{"EdDSA", ed25519.PublicKey(bytes(jwk.X))}
			}
		case "EC P-256":
			public := &ecdsa.PublicKey{Curve: elliptic.P256(), X: integer(jwk.X), Y: integer(jwk.Y)}
			if public.Curve.IsOnCurve(public.X, public.Y) {
				keys[jwk.Kid] = Key{"ES256", public}
			}
		case "RSA ":
			if modulus := integer(jwk.N); modulus.BitLen() >= 2048 {
				keys[jwk.Kid] = Key{"RS256", &rsa.PublicKey{N: modulus, E: int(integer(jwk.E).Int64())}}
			}
		}
	}
	for kid, count := range seen {
		if kid == "" || count > 1 {
			delete(keys, kid)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("JWT_BRIDGE_KEYS holds no usable key")
	}
	return keys, nil
}

// policyFromEnvironment reads the issuer, the audience and the keys, and guesses none of them.
func policyFromEnvironment() (Policy, error) {
	policy := Policy{
		Issuer: os.Getenv("JWT_BRIDGE_ISSUER"), Audience: os.Getenv("JWT_BRIDGE_AUDIENCE"),
		Leeway: 10 * time.Second, MaximumLifetime: time.Hour,
	}
	if policy.Issuer == "" || policy.Audience == "" {
		return policy, errors.New("set JWT_BRIDGE_ISSUER and JWT_BRIDGE_AUDIENCE")
	}
	var err error
	policy.Keys, err = parseKeys(os.Getenv("JWT_BRIDGE_KEYS"))
	return policy, err
}

func init() {
	jwt.TimePrecision = time.Nanosecond // [V15] exp and iat may have a fraction; the library would cut it off
	// [V5] one algorithm with two names, of which the library knows one
	jwt.RegisterSigningMethod("Ed25519", func() jwt.SigningMethod { return jwt.SigningMethodEdDSA })
}

func main() {
	policy, err := policyFromEnvironment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// "now", "leeway" and "maximumLifetime" are for the test with the vectors: a service has neither.
		var line struct {
			Token                        string
			Now, Leeway, MaximumLifetime *float64
		}
		answer := map[string]any{"ok": false, "reason": "not a line of {\"token\": …}"}
		if json.Unmarshal(lines.Bytes(), &line) == nil {
			asked, now := policy, time.Now()
			if line.Now != nil {
				whole, fraction := math.Modf(*line.Now)
				now = time.Unix(int64(whole), int64(fraction*1e9))
			}
			if line.Leeway != nil {
				asked.Leeway = seconds(*line.Leeway)
			}
			if line.MaximumLifetime != nil {
				asked.MaximumLifetime = seconds(*line.MaximumLifetime)
			}
			if subject, err := asked.Verify(line.Token, now); err != nil {
				answer["reason"] = err.Error()
			} else {
				answer = map[string]any{"ok": true, "subject": subject}
			}
		}
		_ = out.Encode(answer)
	}
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

// contains is slices.Contains, for Go before 1.21.
func contains(list []string, wanted string) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}
