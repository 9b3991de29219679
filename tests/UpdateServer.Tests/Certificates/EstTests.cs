using System.Net.Http.Json;
using Core.Tests.Tuf;

namespace UpdateServer.Tests.Certificates;

/// <summary>Devices' certificates over EST, as openssl and curl see them.</summary>
public sealed class EstTests : IAsyncLifetime
{
    private const string MakeRequest = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $NAME.key -subj /CN=$ID -outform DER 2>/dev/null | base64 > $NAME.csr";
    private const string Unpack = "base64 -d $NAME.p7 | openssl pkcs7 -inform DER -print_certs -out $NAME.pem";

    private readonly SettableTime _time = new(DateTimeOffset.UtcNow);
    private ServerScene _server = null!;
    private Shell _shell = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerScene.StartAsync(DatabaseKind.Sqlite, secure: true, time: _time);
        _shell = new Shell(_server.Address);
    }

    public async ValueTask DisposeAsync()
    {
        _shell.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task AnEnrolmentToken_BringsACertificate_ByWhichTheDeviceIsKnown()
    {
        await EnrolAsync("edge-1", "first", await EnrolmentTokenAsync());

        // What it is, says openssl.
        await _shell.RunAsync("curl --fail $EST/cacerts | base64 -d | openssl pkcs7 -inform DER -print_certs -out ca.pem");
        Assert.Equal(2, (await _shell.RunAsync("grep -c BEGIN ca.pem"))[0] - '0');
        Assert.Contains("OK", await _shell.RunAsync("openssl verify -CAfile ca.pem -purpose sslclient first.pem"), StringComparison.Ordinal);
        Assert.Contains("CN = edge-1", await _shell.RunAsync("openssl x509 -in first.pem -noout -subject -nameopt sep_comma_plus_space,space_eq"), StringComparison.Ordinal);
        Assert.Contains("will not expire", await _shell.RunAsync("openssl x509 -in first.pem -noout -checkend $((29*86400))"), StringComparison.Ordinal);
        Assert.Contains("ecdsa-with-SHA256", await _shell.RunAsync("curl --fail $EST/csrattrs | base64 -d | openssl asn1parse -inform DER"), StringComparison.Ordinal);

        // By it, it speaks DDI, and as nobody else.
        Assert.Contains("\"polling\"", await _shell.RunAsync("curl --fail --cert first.pem --key first.key $DDI/edge-1"), StringComparison.Ordinal);
        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert first.pem --key first.key $DDI/edge-2"));
        var certificate = Assert.Single((await _server.GetAsync("/api/v1/devices/edge-1/certificates")).AsArray())!;
        Assert.Equal(_time.Now.AddDays(30), (DateTimeOffset)certificate["expiresAt"]!, TimeSpan.FromMinutes(5));
        Assert.Contains((await _server.GetAsync("/api/v1/audit")).AsArray(), entry => (string?)entry!["what"] == "certificate.issue");
    }

    [Fact]
    public async Task ACertificate_IsRenewedByItself_WithAKeyOfItsOwn()
    {
        await EnrolAsync("edge-1", "first", await EnrolmentTokenAsync());
        await RenewAsync("edge-1", "first", "second");

        Assert.NotEqual(await _shell.RunAsync("openssl x509 -in first.pem -noout -pubkey"), await _shell.RunAsync("openssl x509 -in second.pem -noout -pubkey"));
        Assert.Contains("\"polling\"", await _shell.RunAsync("curl --fail --cert second.pem --key second.key $DDI/edge-1"), StringComparison.Ordinal);
        Assert.Equal(2, (await _server.GetAsync("/api/v1/devices/edge-1/certificates")).AsArray().Count);

        // For another name it is none, and without a certificate neither.
        Assert.Contains("A renewal is for the name that the certificate has.", await RefusedAsync("400", "ID=edge-2 NAME=other; " + MakeRequest + "; curl -w '%{http_code}' --cert second.pem --key second.key --data-binary @other.csr -H 'Content-Type: application/pkcs10' $EST/simplereenroll"), StringComparison.Ordinal);
        await RefusedAsync("401", "curl -w '%{http_code}' --data-binary @second.csr -H 'Content-Type: application/pkcs10' $EST/simplereenroll");
    }

    [Fact]
    public async Task ADeviceThatWasOff_RenewsByTheCertificateThatHasEnded_AndIsRefusedAllElse()
    {
        await EnrolAsync("edge-1", "first", await EnrolmentTokenAsync());
        _time.Now = _time.Now.AddDays(100);

        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert first.pem --key first.key $DDI/edge-1"));
        await RefusedAsync("401", "curl -w '%{http_code}' --cert first.pem --key first.key --data-binary @first.csr $EST/simpleenroll");
        await RenewAsync("edge-1", "first", "second");
        Assert.Contains("\"polling\"", await _shell.RunAsync("curl --fail --cert second.pem --key second.key $DDI/edge-1"), StringComparison.Ordinal);

        _time.Now = _time.Now.AddDays(30 + 181); // beyond the grace
        await RefusedAsync("401", "curl -w '%{http_code}' --cert second.pem --key second.key --data-binary @second.csr $EST/simplereenroll");
    }

    [Fact]
    public async Task WhatIsRevoked_IsRefused_EverywhereAndAtOnce()
    {
        var enrolment = await EnrolmentTokenAsync();
        await EnrolAsync("edge-1", "first", enrolment);
        await File.WriteAllTextAsync(_shell["token"], enrolment, Token);
        await _shell.RunAsync("curl --fail --cert first.pem --key first.key $DDI/edge-1");
        await _server.Service<Appliance.UpdateServer.Fleet.SeenDevices>().FlushAsync(Token);
        Assert.Equal(1, (int)await _server.PostAsync("/api/v1/devices/edge-1/certificates/revoke"));

        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert first.pem --key first.key $DDI/edge-1"));
        foreach (var operation in new[] { "simpleenroll", "simplereenroll" }) await RefusedAsync("401", $"curl -w '%{{http_code}}' --cert first.pem --key first.key --data-binary @first.csr $EST/{operation}");
        await RefusedAsync("400", "curl -w '%{http_code}' -u edge-1:$(cat token) --data-binary @first.csr $EST/simpleenroll"); // nor by the token that let it in

        // A new token of its own is the way back in.
        await EnrolAsync("edge-1", "second", (string)(await _server.PostAsync("/api/v1/devices/edge-1/token"))["token"]!);
        Assert.Contains("\"polling\"", await _shell.RunAsync("curl --fail --cert second.pem --key second.key $DDI/edge-1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheTokenForWhichACertificateWasIssued_EndsWithItsFirstUse()
    {
        var token = (string)(await _server.PostAsync("/api/v1/devices", new { id = "edge-1" }))["token"]!;
        await EnrolAsync("edge-1", "first", token);
        Assert.Equal("200", await _shell.RunAsync($"curl -o /dev/null -w '%{{http_code}}' -H 'Authorization: TargetToken {token}' $DDI/edge-1"));

        await _shell.RunAsync("curl --fail --cert first.pem --key first.key $DDI/edge-1");
        Assert.Equal("401", await _shell.RunAsync($"curl -o /dev/null -w '%{{http_code}}' -H 'Authorization: TargetToken {token}' $DDI/edge-1"));
    }

    [Fact]
    public async Task WhoeverIsLetInOnceMore_EndsWhatTheFirstGot()
    {
        var token = await EnrolmentTokenAsync();
        await EnrolAsync("edge-1", "first", token);
        await EnrolAsync("edge-1", "second", token);

        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert first.pem --key first.key $DDI/edge-1"));
        await _shell.RunAsync("curl --fail --cert second.pem --key second.key $DDI/edge-1");
    }

    [Fact]
    public async Task ADeviceThatWasTakenOut_IsRefused_UntilItIsLetInAnew()
    {
        await EnrolAsync("edge-1", "first", await EnrolmentTokenAsync());
        using var answer = await _server.Admin.DeleteAsync("/api/v1/devices/edge-1", Token);
        Assert.True(answer.IsSuccessStatusCode);

        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert first.pem --key first.key $DDI/edge-1"));
        await RefusedAsync("401", "curl -w '%{http_code}' --cert first.pem --key first.key --data-binary @first.csr $EST/simplereenroll");
        await EnrolAsync("edge-1", "second", (string)(await _server.PostAsync("/api/v1/devices/edge-1/token"))["token"]!);
        await _shell.RunAsync("curl --fail --cert second.pem --key second.key $DDI/edge-1");
        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert first.pem --key first.key $DDI/edge-1")); // nor then
    }

    /// <summary>A root in a safe, an issuing authority on servers that share a database, and another one below the same root later.</summary>
    [Fact]
    public async Task AnAuthorityFromTheCommandLine_Issues_AndSoDoesTheNextBelowItsRoot()
    {
        var program = Path.Combine(AppContext.BaseDirectory, "appliance-server");
        await _shell.RunAsync($"{program} authority keys --name 'Example devices'");
        Assert.Contains("has an authority already", (await _shell.TryAsync($"{program} authority keys")).Said, StringComparison.Ordinal);
        Assert.Equal("600", await _shell.RunAsync("stat -c %a keys/root.key"));
        await using (var first = await ServerScene.StartAsync(DatabaseKind.Postgres, secure: true, time: _time, issuer: _shell["keys/issuing.pem"]))
        {
            using var device = new Shell(first.Address);
            await device.RunAsync($"ID=edge-1 NAME=first; {MakeRequest}; curl --fail -u edge-1:{(string)(await first.PostAsync("/api/v1/devices", new { id = "edge-1" }))["token"]!} --data-binary @first.csr $EST/simpleenroll > first.p7; {Unpack}");
            Assert.Contains("OK", await device.RunAsync($"openssl verify -CAfile {_shell["keys/root.pem"]} -untrusted {_shell["keys/issuing.pem"]} first.pem"), StringComparison.Ordinal);
            Assert.Contains("\"polling\"", await device.RunAsync("curl --fail --cert first.pem --key first.key $DDI/edge-1"), StringComparison.Ordinal);
        }
        await _shell.RunAsync($"mv keys/issuing.pem old.pem; {program} authority keys");
        Assert.Contains("OK", await _shell.RunAsync("openssl verify -CAfile keys/root.pem keys/issuing.pem"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACertificateOfAnotherAuthority_IsNone()
    {
        await EnrolAsync("edge-1", "first", await EnrolmentTokenAsync());
        await _shell.RunAsync("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem -subj /CN=edge-1 -days 30 2>/dev/null");

        Assert.Equal("401", await _shell.RunAsync("curl -o /dev/null -w '%{http_code}' --cert other.pem --key other.key $DDI/edge-1"));
        await RefusedAsync("401", "curl -w '%{http_code}' --cert other.pem --key other.key --data-binary @first.csr $EST/simplereenroll");
    }

    [Fact]
    public async Task ATokenOfTheDevicesOwn_BringsACertificate_AndWhatMakesNoSenseIsSaid()
    {
        var token = (string)(await _server.PostAsync("/api/v1/devices", new { id = "edge-1" }))["token"]!;
        await EnrolAsync("edge-1", "first", token);
        Assert.Contains("\"polling\"", await _shell.RunAsync("curl --fail --cert first.pem --key first.key $DDI/edge-1"), StringComparison.Ordinal);

        Assert.Contains("enrolment token does not hold", await RefusedAsync("400", "curl -w '%{http_code}' -u edge-1:guessed --data-binary @first.csr $EST/simpleenroll"), StringComparison.Ordinal);
        Assert.Contains("The body is no base64.", await RefusedAsync("400", $"curl -w '%{{http_code}}' -u edge-1:{token} --data-binary '?' $EST/simpleenroll"), StringComparison.Ordinal);
        Assert.Contains("certificate request cannot be used", await RefusedAsync("400", $"curl -w '%{{http_code}}' -u edge-1:{token} --data-binary AAAA $EST/simpleenroll"), StringComparison.Ordinal);
        // Signed by another key than the one it is for.
        Assert.Contains("certificate request cannot be used", await RefusedAsync("400", $"base64 -d first.csr > forged; printf '\\x00\\x00\\x00' | dd of=forged bs=1 seek=$(($(stat -c %s forged) - 3)) conv=notrunc 2>/dev/null; base64 forged > forged.csr; curl -w '%{{http_code}}' -u edge-1:{token} --data-binary @forged.csr $EST/simpleenroll"), StringComparison.Ordinal);
        Assert.Contains("neither one of an elliptic curve", await RefusedAsync("400", $"openssl req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=edge-1 -outform DER 2>/dev/null | base64 > weak.csr; curl -w '%{{http_code}}' -u edge-1:{token} --data-binary @weak.csr $EST/simpleenroll"), StringComparison.Ordinal);
    }

    private Task EnrolAsync(string id, string name, string token) => _shell.RunAsync($"ID={id} NAME={name}; {MakeRequest}; curl --fail -u {id}:{token} --data-binary @{name}.csr -H 'Content-Type: application/pkcs10' $EST/simpleenroll > {name}.p7; {Unpack}");

    private Task RenewAsync(string id, string by, string name) => _shell.RunAsync($"ID={id} NAME={name}; {MakeRequest}; curl --fail --cert {by}.pem --key {by}.key --data-binary @{name}.csr -H 'Content-Type: application/pkcs10' $EST/simplereenroll > {name}.p7; {Unpack}");

    private async Task<string> RefusedAsync(string status, string script)
    {
        var said = await _shell.RunAsync(script);
        Assert.EndsWith(status, said, StringComparison.Ordinal);
        return said;
    }

    private async Task<string> EnrolmentTokenAsync() => (string)(await _server.PostAsync("/api/v1/enrolment-tokens", new { name = "berlin", uses = 5 }))["value"]!;
}
