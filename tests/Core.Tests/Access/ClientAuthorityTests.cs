using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Access;

namespace Core.Tests.Access;

/// <summary>Which certificates log in, and which files can say so.</summary>
public sealed class ClientAuthorityTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly SomeAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public void ACertificateOfTheAuthority_LogsIn() => Assert.Null(FaultOf(_authority.Make("ada")));

    [Fact]
    public void OneOfAnotherAuthority_DoesNot_EvenOfTheSameName()
    {
        using var other = new SomeAuthority();

        Assert.StartsWith("the device's authority did not make it for that (", FaultOf(other.Make("ada")), StringComparison.Ordinal);
    }

    [Fact]
    public void OneForServers_DoesNot() => Assert.StartsWith("the device's authority did not make it for that (", FaultOf(_authority.Make("ada", forClients: false)), StringComparison.Ordinal);

    [Fact]
    public void OneThatEnded_OrHasNotBegun_IsToldWithBothClocks()
    {
        Assert.Equal("it ended at 2026-05-01 00:00 UTC, and the device's clock says 2026-06-01 12:00", FaultOf(_authority.Make("ada", until: new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero))));
        Assert.Equal("it is good from 2026-07-01 00:00 UTC, and the device's clock says 2026-06-01 12:00", FaultOf(_authority.Make("ada", from: new(2026, 7, 1, 0, 0, 0, TimeSpan.Zero))));
    }

    [Fact]
    public void AFileWithAKey_OrWithoutAnAuthority_IsRefused()
    {
        Assert.Equal("it holds no certificate in PEM form", FaultOfFile("hello"));
        Assert.Equal("it holds a private key, which stays with the authority", FaultOfFile(_authority.Pem + _authority.Make("ada")));
        var leaf = _authority.Make("ada");
        Assert.Equal("CN=ada is no certificate of an authority", FaultOfFile(_authority.Pem + leaf[..(leaf.IndexOf("-----END CERTIFICATE-----", StringComparison.Ordinal) + 26)]));
        Assert.NotEqual("", FaultOfFile("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    }

    private string? FaultOf(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return ClientAuthority.Parse(_authority.Pem).Fault(certificate, Now);
    }

    private static string FaultOfFile(string pem) => Assert.Throws<InvalidDataException>(() => ClientAuthority.Parse(pem)).Message;
}
