using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Web;

namespace Supervisor.Tests.Credentials;

/// <summary>The page's certificate, without the page.</summary>
internal sealed class PageScene : CredentialScene
{
    private readonly List<string> _seen = [];
    private PageCertificate _certificate;

    public PageScene()
    {
        _certificate = Open();
        _seen.Add(_certificate.Current.Thumbprint);
    }

    public override ICredential Credential => new PageCredential(_certificate, _ => Task.FromResult(ProbeResult.Pass("it is shown")));

    public override Task<int> UsedAsync()
    {
        Assert.Equal(_certificate.Current.Thumbprint, Open().Current.Thumbprint);
        var shown = _certificate.Current.Thumbprint;
        if (!_seen.Contains(shown)) _seen.Add(shown);
        return Task.FromResult(_seen.IndexOf(shown));
    }

    public override Task BootAsync()
    {
        _certificate = Open();
        return base.BootAsync();
    }

    private PageCertificate Open() => new(this["page.pem"], () => "edge-7");
}
