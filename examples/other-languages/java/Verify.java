import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyOperation;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.OctetKeyPair;
import com.nimbusds.jose.jwk.OctetSequenceKey;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Verifies access tokens of jwt-auth-bridge with Nimbus JOSE+JWT. The library brings JSON, keys and
 * signatures; the rest is here, under the number of its rule in access-token.md, section 3.
 *
 * <p>It reads lines of {"token": …} and answers each {"ok": true, "subject": …} or {"ok": false, "reason": …}:
 *
 * <pre>
 * export JWT_BRIDGE_ISSUER=https://app.example.com JWT_BRIDGE_AUDIENCE=https://api.example.com
 * export JWT_BRIDGE_KEYS="$(npx jwt-auth-bridge key)"     # or the public key set that the web app serves
 * mvn -q compile dependency:copy-dependencies
 * java -cp 'target/classes:target/dependency/*' Verify &lt; tokens
 * </pre>
 *
 * <p>A service takes everything but main.
 */
public final class Verify {
  /** [V2] Three segments of base64url, none empty. */
  private static final Pattern COMPACT = Pattern.compile("[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+");

  private final String issuer;
  private final String audience;
  private final Map<String, JWK> keys;

  /** Why a token is refused: for the log, never for the caller. */
  static final class Refused extends Exception {
    Refused(String reason) {
      super(reason);
    }
  }

  Verify(String issuer, String audience, String keySet) throws ParseException {
    if (issuer == null || issuer.isEmpty() || audience == null || audience.isEmpty()) {
      throw new IllegalArgumentException("set JWT_BRIDGE_ISSUER and JWT_BRIDGE_AUDIENCE");
    }
    this.issuer = issuer;
    this.audience = audience;
    this.keys = parseKeys(keySet);
  }

  /** The user's ID. Times are in seconds; leeway is the allowed difference of clocks, usually 10. */
  String verify(String token, double now, double leeway, double maximumLifetime) throws Refused {
    if (token.length() > 8192 || !COMPACT.matcher(token).matches()) throw new Refused("no compact JWS"); // [V1] [V2]
    String[] segments = token.split("\\.");
    for (String segment : segments) { // [V2] the library takes stray bits
      String again = Base64URL.encode(new Base64URL(segment).decode()).toString();
      if (!again.equals(segment)) throw new Refused("no compact JWS");
    }
    Map<String, Object> header = object(segments[0]); // [V3]
    byte[] signingInput = (segments[0] + "." + segments[1]).getBytes(StandardCharsets.US_ASCII);
    try {
      JWSVerifier verifier = verifier(header);
      JWSHeader algorithm = new JWSHeader(JWSAlgorithm.parse((String) header.get("alg")));
      boolean good = verifier.verify(algorithm, signingInput, new Base64URL(segments[2]));
      if (!good) throw new Refused("the signature is not this key's"); // [V8]
    } catch (JOSEException unfit) {
      throw new Refused("the key does not fit");
    }
    return validate(object(segments[1]), now, leeway, maximumLifetime); // [V9]
  }

  /** The verifier of the one key that the header names. The key decides the algorithm, never the token. */
  private JWSVerifier verifier(Map<String, Object> header) throws Refused, JOSEException {
    if (header.containsKey("crit") || header.containsKey("b64")) throw new Refused("crit or b64 in the header"); // [V4]
    String type = header.get("typ") instanceof String text ? lower(text) : "";
    if (!type.equals("at+jwt") && !type.equals("application/at+jwt")) throw new Refused("typ is not at+jwt"); // [V6]
    JWK key = header.get("kid") instanceof String kid ? keys.get(kid) : null; // [V7]
    if (key == null) throw new Refused("no key has this kid");
    Object algorithm = header.get("alg"); // [V5] [V7]
    if (key instanceof OctetSequenceKey oct && "HS256".equals(algorithm)) return new MACVerifier(oct);
    if (key instanceof RSAKey rsa && "RS256".equals(algorithm)) return new RSASSAVerifier(rsa);
    if (key instanceof ECKey ec && "ES256".equals(algorithm)) return new ECDSAVerifier(ec);
    boolean edwards = "EdDSA".equals(algorithm) || "Ed25519".equals(algorithm); // one algorithm with two names
    if (key instanceof OctetKeyPair pair && edwards) return new Ed25519Verifier(pair);
    throw new Refused("the key is not for this algorithm");
  }

  /**
   * A segment's JSON object. JWSObject.parse of the library hides and adds: it drops a crit that is null and
   * a b64, refuses a jwk that it cannot read, and throws a NullPointerException for a header that is null.
   */
  private static Map<String, Object> object(String segment) throws Refused {
    try {
      Map<String, Object> members = JSONObjectUtils.parse(new Base64URL(segment).decodeToString());
      if (members != null) return members;
    } catch (ParseException unreadable) {
      // refused below
    }
    throw new Refused("a segment is no JSON object");
  }

  private String validate(Map<String, Object> claims, double now, double leeway, double maximumLifetime)
      throws Refused {
    for (String name : List.of("iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti")) { // [V10]
      if (!claims.containsKey(name)) throw new Refused(name + " is missing");
    }
    for (String name : List.of("iss", "sub", "user_id", "client_id", "jti", "sid")) { // [V11]
      if (claims.containsKey(name) && !isText(claims.get(name))) throw new Refused(name + " is no text");
    }
    List<?> audiences = claims.get("aud") instanceof List<?> list ? list : List.of(nullSafe(claims.get("aud")));
    if (!audiences.stream().allMatch(Verify::isText)) throw new Refused("aud holds what is no text"); // [V11]
    double issuedAt = date(claims, "iat");
    double expires = date(claims, "exp");
    double notBefore = claims.containsKey("nbf") ? date(claims, "nbf") : 0;
    String subject = (String) claims.get("sub");
    if (subject.codePointCount(0, subject.length()) > 255 || subject.codePoints().anyMatch(Character::isISOControl)) {
      throw new Refused("sub is too long, or holds a control character"); // [V11]
    }
    if (!issuer.equals(claims.get("iss"))) throw new Refused("another issuer"); // [V12]
    if (!audiences.contains(audience)) throw new Refused("another audience"); // [V13]
    if (!subject.equals(claims.get("user_id"))) throw new Refused("user_id is not sub"); // [V14]
    if (!issuer.equals(claims.get("client_id"))) throw new Refused("client_id is not iss"); // [V14]
    if (claims.containsKey("cnf")) throw new Refused("there is a cnf"); // [V14]
    if (now >= expires + leeway) throw new Refused("expired"); // [V15]
    if (issuedAt > now + leeway || notBefore > now + leeway) throw new Refused("not yet valid"); // [V16]
    double lifetime = expires - issuedAt;
    if (lifetime <= 0 || lifetime > maximumLifetime) throw new Refused("exp − iat is out of range"); // [V17]
    return subject;
  }

  /** [V11] Seconds since 1970, with their fraction: the library's own getters cut it off. */
  private static double date(Map<String, Object> claims, String name) throws Refused {
    if (!(claims.get(name) instanceof Number number)) throw new Refused(name + " is no date");
    double seconds = number.doubleValue();
    if (!(seconds >= 0 && seconds <= 253402300799.0)) throw new Refused(name + " is no date");
    return seconds;
  }

  private static boolean isText(Object value) {
    return value instanceof String text && !text.isEmpty();
  }

  private static Object nullSafe(Object value) {
    return value == null ? Boolean.FALSE : value;
  }

  /** Folds ASCII alone: String.toLowerCase would take the Kelvin sign for a k. */
  private static String lower(String text) {
    StringBuilder folded = new StringBuilder();
    for (char c : text.toCharArray()) folded.append('A' <= c && c <= 'Z' ? (char) (c + 32) : c);
    return folded.toString();
  }

  /** A JWK Set by kid: your own, and so trusted. Two entries with one kid name no key [V7]. */
  private static Map<String, JWK> parseKeys(String text) throws ParseException {
    Map<String, JWK> keys = new HashMap<>();
    List<String> twice = new ArrayList<>();
    for (JWK key : JWKSet.parse(text == null ? "" : text).getKeys()) {
      if (key.getKeyID() != null && keys.put(key.getKeyID(), key) != null) twice.add(key.getKeyID());
    }
    twice.forEach(keys::remove);
    keys.values().removeIf(key -> !forVerifying(key));
    if (keys.isEmpty()) throw new IllegalArgumentException("JWT_BRIDGE_KEYS holds no usable key");
    return keys;
  }

  /** Neither a private key, nor one that is for something else. */
  private static boolean forVerifying(JWK key) {
    boolean use = key.getKeyUse() == null || key.getKeyUse().equals(KeyUse.SIGNATURE);
    boolean operation = key.getKeyOperations() == null || key.getKeyOperations().contains(KeyOperation.VERIFY);
    return use && operation && (key instanceof OctetSequenceKey || !key.isPrivate());
  }

  public static void main(String[] arguments) throws IOException, ParseException {
    Map<String, String> env = System.getenv();
    String keySet = env.get("JWT_BRIDGE_KEYS");
    Verify policy = new Verify(env.get("JWT_BRIDGE_ISSUER"), env.get("JWT_BRIDGE_AUDIENCE"), keySet);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> answer = new HashMap<>(Map.of("ok", false));
      try {
        // "now", "leeway" and "maximumLifetime" are for the test with the vectors: a service has neither.
        Map<String, Object> question = JSONObjectUtils.parse(line);
        double now = number(question, "now", System.currentTimeMillis() / 1000.0);
        double leeway = number(question, "leeway", 10);
        String token = String.valueOf(question.get("token"));
        answer.put("subject", policy.verify(token, now, leeway, number(question, "maximumLifetime", 3600)));
        answer.put("ok", true);
      } catch (ParseException unreadable) {
        answer.put("reason", "not a line of {\"token\": …}");
      } catch (Refused refused) {
        answer.put("reason", refused.getMessage());
      }
      out.println(JSONObjectUtils.toJSONString(answer));
    }
  }

  private static double number(Map<String, Object> question, String name, double otherwise) {
    return question.get(name) instanceof Number number ? number.doubleValue() : otherwise;
  }
}
