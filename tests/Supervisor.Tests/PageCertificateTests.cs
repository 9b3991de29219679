using System.Security.Cryptography.X509Certificates;
using Appliance.Supervisor.Web;

namespace Supervisor.Tests;

public sealed class PageCertificateTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tls");
    private X509Certificate2 Open(string hostname) => new PageCertificate(PagePem, () => hostname).Current;

    private string PagePem => Path.Combine(_folder.FullName, "page.pem");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Open_Twice_GivesTheSameCertificate_AndKeepsTheKeyPrivate()
    {
        var first = Open("edge");
        var second = Open("renamed");

        Assert.Equal(first.Thumbprint, second.Thumbprint);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(PagePem));
        Assert.True(second.HasPrivateKey);
        Assert.True(first.MatchesHostname("edge.local"));
        Assert.True(first.NotBefore.Year <= 2020); // a clock in the past must not lock anybody out
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(700)]
    public void Open_AFileCutShort_IsReplaced(int length)
    {
        var first = Open("edge");
        using (var file = new FileStream(PagePem, FileMode.Open)) file.SetLength(length);

        var second = Open("edge");

        Assert.NotEqual(first.Thumbprint, second.Thumbprint);
        var third = Open("edge");
        Assert.Equal(second.Thumbprint, third.Thumbprint);
    }
}
