# frozen_string_literal: true

# Verifies access tokens of jwt-auth-bridge with the gem jwt. The library parses, holds the algorithm to the list
# that it is given, and verifies the signature; the rest is here, under the number of its rule in access-token.md,
# section 3.
#
# It reads lines of {"token": …} and answers each {"ok": true, "subject": …} or {"ok": false, "reason": …}:
#
#   export JWT_BRIDGE_ISSUER=https://app.example.com JWT_BRIDGE_AUDIENCE=https://api.example.com
#   export JWT_BRIDGE_KEYS="$(npx jwt-auth-bridge key)"     # or the public key set that the web app serves
#   ruby verify.rb < tokens
#
# A service takes the class and leaves the last lines behind.

require "base64"
require "json"
require "jwt"

# What one API accepts. EdDSA needs another gem (rbnacl, or jwt-eddsa): let the web app sign with ES256 or RS256.
class Policy
  class Refused < StandardError; end # its message is for the log, never for the caller

  COMPACT = /\A[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\z/
  ALGORITHMS = { "oct" => "HS256", "RSA" => "RS256", "EC" => "ES256" }.freeze
  CONTROL = /[\u0000-\u001f\u007f-\u009f]/
  REQUIRED = %w[iss aud sub user_id client_id iat exp jti].freeze
  TEXTS = %w[iss sub user_id client_id jti sid].freeze

  def initialize(issuer:, audience:, keys:)
    unless text?(issuer) && text?(audience)
      raise ArgumentError, "set JWT_BRIDGE_ISSUER and JWT_BRIDGE_AUDIENCE"
    end

    @issuer = issuer
    @audience = audience
    @keys = parse_keys(keys)
  end

  # The user's ID. Times are in seconds; leeway is the allowed difference of clocks.
  def verify(token, now: Time.now.to_f, leeway: 10, maximum_lifetime: 3600)
    refuse "no compact JWS" if !token.is_a?(String) || token.length > 8192 || !COMPACT.match?(token) # [V1] [V2]
    refuse "no compact JWS" unless token.split(".").all? { |part| canonical?(part) } # [V2]
    # The library reads the clock itself, in whole seconds: the times are validated below.
    clockless = { verify_expiration: false, verify_not_before: false }
    algorithms = @keys.values.map { |key| key[:algorithm] }.uniq # [V5]
    claims, header = JWT.decode(token, nil, true, algorithms: algorithms, **clockless) { |head| key(head) } # [V8]
    signature = Base64.urlsafe_decode64(token.split(".").last)
    refuse "no signature of ES256" if header["alg"] == "ES256" && signature.bytesize != 64 # [V8] it takes shorter ones
    validate(claims, now, leeway, maximum_lifetime)
  rescue Refused
    raise
  rescue StandardError => e # a header that is a JSON array is a TypeError in the library
    refuse "no JWS that verifies (#{e.class})"
  end

  private

  # The one key that the header names, before the signature is verified with it.
  def key(header)
    refuse "crit or b64 in the header" if header.key?("crit") || header.key?("b64") # [V4]
    typ = header["typ"].is_a?(String) ? header["typ"].downcase(:ascii) : ""
    refuse "typ is not at+jwt" unless ["at+jwt", "application/at+jwt"].include?(typ) # [V6]
    key = @keys[header["kid"]] or refuse "no key has this kid" # [V7]
    refuse "the key is not for this algorithm" unless key[:algorithm] == header["alg"] # [V7] the key decides
    key[:material]
  end

  def validate(claims, now, leeway, maximum_lifetime)
    refuse "the payload is no JSON object" unless claims.is_a?(Hash) # [V9]
    REQUIRED.each { |name| refuse "#{name} is missing" unless claims.key?(name) } # [V10]
    TEXTS.each { |name| refuse "#{name} is no text" if claims.key?(name) && !text?(claims[name]) } # [V11]
    audiences = claims["aud"].is_a?(Array) ? claims["aud"] : [claims["aud"]]
    refuse "aud holds what is no text" unless audiences.all? { |entry| text?(entry) } # [V11]
    %w[iat exp nbf].each { |name| refuse "#{name} is no date" if claims.key?(name) && !date?(claims[name]) } # [V11]
    subject = claims["sub"]
    refuse "sub is too long, or holds a control character" if subject.length > 255 || CONTROL.match?(subject) # [V11]
    refuse "another issuer" unless claims["iss"] == @issuer # [V12]
    refuse "another audience" unless audiences.include?(@audience) # [V13]
    refuse "user_id is not sub" unless claims["user_id"] == subject # [V14]
    refuse "client_id is not iss" unless claims["client_id"] == @issuer # [V14]
    refuse "there is a cnf" if claims.key?("cnf") # [V14]
    refuse "expired" unless now < claims["exp"] + leeway # [V15]
    refuse "not yet valid" if claims["iat"] > now + leeway || claims.fetch("nbf", 0) > now + leeway # [V16]
    lifetime = claims["exp"] - claims["iat"]
    refuse "exp - iat is out of range" unless lifetime.positive? && lifetime <= maximum_lifetime # [V17]
    subject
  end

  def text?(value) = value.is_a?(String) && !value.empty?

  def date?(value) = value.is_a?(Numeric) && value.between?(0, 253_402_300_799)

  def canonical?(part) = Base64.urlsafe_encode64(Base64.urlsafe_decode64(part), padding: false) == part

  def refuse(reason) = raise(Refused, reason)

  # A JWK Set by kid: your own, and so trusted. Two entries with one kid name no key [V7].
  def parse_keys(text)
    entries = JSON.parse(text.to_s).fetch("keys").group_by { |jwk| jwk["kid"] }
    usable = entries.select { |kid, (jwk, *twins)| text?(kid) && twins.empty? && for_verifying?(jwk) }
    keys = usable.transform_values { |(jwk)| { algorithm: ALGORITHMS[jwk["kty"]], material: material(jwk) } }
    raise ArgumentError, "JWT_BRIDGE_KEYS holds no usable key" if keys.empty?

    keys
  rescue JSON::ParserError, KeyError
    raise ArgumentError, "JWT_BRIDGE_KEYS is no JWK Set"
  end

  # Neither a private key, nor one that is for something else or of a kind that is not known here.
  def for_verifying?(jwk)
    ALGORITHMS.key?(jwk["kty"]) && !jwk.key?("d") && jwk.fetch("use", "sig") == "sig" &&
      jwk.fetch("key_ops", ["verify"]).include?("verify")
  end

  def material(jwk)
    return Base64.urlsafe_decode64(jwk["k"]) if jwk["kty"] == "oct" # JWT::JWK takes the text k itself for the key

    JWT::JWK.import(jwk.slice("kty", "kid", "crv", "x", "y", "n", "e")).keypair
  end
end

if $PROGRAM_NAME == __FILE__
  $stdout.sync = true
  issuer, audience, keys = ENV.values_at("JWT_BRIDGE_ISSUER", "JWT_BRIDGE_AUDIENCE", "JWT_BRIDGE_KEYS")
  policy = Policy.new(issuer: issuer, audience: audience, keys: keys)
  $stdin.set_encoding("UTF-8").each_line do |line|
    # "now", "leeway" and "maximumLifetime" are for the test with the vectors: a service has neither.
    asked = JSON.parse(line)
    options = { now: asked["now"], leeway: asked["leeway"], maximum_lifetime: asked["maximumLifetime"] }.compact
    puts JSON.generate(ok: true, subject: policy.verify(asked["token"], **options))
  rescue JSON::ParserError
    puts JSON.generate(ok: false, reason: "not a line of {\"token\": …}")
  rescue Policy::Refused => e
    puts JSON.generate(ok: false, reason: e.message)
  end
end
