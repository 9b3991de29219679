using System.Text.Json.Nodes;
using Appliance.Supervisor.Support;

namespace Supervisor.Tests.Support;

/// <summary>What is taken out of texts, and what is not.</summary>
public sealed class RedactionTests
{
    [Theory]
    [InlineData("password: hunter2", "password: (removed)")]
    [InlineData("K3S_TOKEN=K10abc::server:def", "K3S_TOKEN=(removed)")]
    [InlineData("  api-key: 'two words' # mine", "  api-key: (removed) # mine")]
    [InlineData("{\"token\": \"a\\\"b\", \"port\": 1}", "{\"token\": (removed), \"port\": 1}")]
    [InlineData("GET /x?access_token=abc&n=1", "GET /x?access_token=(removed)&n=1")]
    [InlineData("Authorization: Bearer eyJhbGciOi.J9", "Authorization: (removed) (removed)")]
    [InlineData("sent bearer eyJhbGciOiJIUzI1NiJ9", "sent bearer (removed)")]
    [InlineData("url: https://me:secret@updates.example/a", "url: https://(removed)@updates.example/a")]
    [InlineData("PSK=\"x y\"", "PSK=(removed)")]
    public void Secrets_AreTakenOut(string line, string expected) => Assert.Equal(expected, Redaction.Line(line));

    [Theory]
    [InlineData("check k3s: passes since noon")]
    [InlineData("url: https://updates.example/a@b")]
    [InlineData("Nov 27 01:00:00 edge sshd[7]: Accepted publickey for root")]
    [InlineData("certificate: /etc/ssl/cert.pem")]
    public void OtherThings_Stay(string line) => Assert.Equal(line, Redaction.Line(line));

    [Fact]
    public void Json_IsCleanedByItsMembers()
    {
        var clean = JsonNode.Parse(Redaction.File("a.json", """{"checks":[{"passed":true,"url":"https://a:b@c/"},"token=x"],"auth":{"client_secret":{"k":"v"},"n":1,"none":null}}"""))!;

        Assert.Equal("""{"checks":[{"passed":true,"url":"https://(removed)@c/"},"token=(removed)"],"auth":{"client_secret":"(removed)","n":1,"none":null}}""", clean.ToJsonString());
    }

    [Fact]
    public void Blocks_GoWithTheirName()
    {
        const string Text = """
            server: x
            token: |
              line one

              line two
            tokens:
            - one
            - two
            other:
              credentials:
                user: me
              port: 1
            """;

        Assert.Equal("""
            server: x
            token: | (removed)
            tokens: (removed)
            other:
              credentials: (removed)
              port: 1
            """, Redaction.File("a.yaml", Text));
    }

    [Fact]
    public void PrivateKeys_GoWhole_AlsoCutOnes()
    {
        Assert.Equal("a\n(removed)\nb", Redaction.File("a.pem", "a\n-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nb"));
        Assert.Equal("a\n(removed)", Redaction.File("a.pem", "a\n-----BEGIN PRIVATE KEY-----\nabc\n"));
        Assert.Equal("-----BEGIN CERTIFICATE-----\nabc", Redaction.File("a.pem", "-----BEGIN CERTIFICATE-----\nabc"));
    }
}
