using Appliance.Supervisor.Web;

namespace Supervisor.Tests;

public sealed class PageCertificateTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tls");
    private string PagePem => Path.Combine(_folder.FullName, "page.pem");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void LoadOrCreate_Twice_GivesTheSameCertificate_AndKeepsTheKeyPrivate()
    {
        using var first = PageCertificate.LoadOrCreate(PagePem, "edge");
        using var second = PageCertificate.LoadOrCreate(PagePem, "renamed");

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
    public void LoadOrCreate_AFileCutShort_IsReplaced(int length)
    {
        using var first = PageCertificate.LoadOrCreate(PagePem, "edge");
        using (var file = new FileStream(PagePem, FileMode.Open)) file.SetLength(length);

        using var second = PageCertificate.LoadOrCreate(PagePem, "edge");

        Assert.NotEqual(first.Thumbprint, second.Thumbprint);
        using var third = PageCertificate.LoadOrCreate(PagePem, "edge");
        Assert.Equal(second.Thumbprint, third.Thumbprint);
    }
}
