using Appliance.Core.Workloads;

namespace Core.Tests.Workloads;

public sealed class ImageReferenceTests
{
    private static readonly string Digest = "sha256:" + new string('a', 64);

    [Theory]
    [InlineData("nginx", "docker.io/library/nginx:latest")]
    [InlineData("nginx:1.27", "docker.io/library/nginx:1.27")]
    [InlineData("team/app", "docker.io/team/app:latest")]
    [InlineData("index.docker.io/nginx", "docker.io/library/nginx:latest")]
    [InlineData("docker.io/nginx", "docker.io/library/nginx:latest")]
    [InlineData("quay.io/team/app:v1", "quay.io/team/app:v1")]
    [InlineData("localhost/app", "localhost/app:latest")]
    [InlineData("localhost:5000/app", "localhost:5000/app:latest")]
    [InlineData("registry.example:5000/a/b/c:x", "registry.example:5000/a/b/c:x")]
    [InlineData("a__b/c-d.e--f", "docker.io/a__b/c-d.e--f:latest")]
    public void TryParse_CompletesAName(string text, string full) => Assert.Equal(full, ImageReference.TryParse(text)?.ToString());

    [Fact]
    public void TryParse_KeepsADigest_AndAddsNoTagToIt()
    {
        Assert.Equal($"docker.io/library/nginx@{Digest}", ImageReference.TryParse($"nginx@{Digest}")?.ToString());
        Assert.Equal($"docker.io/library/nginx:1.27@{Digest}", ImageReference.TryParse($"nginx:1.27@{Digest}")?.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("Nginx")]
    [InlineData("nginx:")]
    [InlineData("nginx:-1")]
    [InlineData("a//b")]
    [InlineData("a/b/")]
    [InlineData("-a")]
    [InlineData("a b")]
    [InlineData("a:b:c")]
    [InlineData("host:port/a")]
    [InlineData("nginx@sha256:12")]
    [InlineData("nginx\n")]
    [InlineData("{{ .Values.image }}")]
    public void TryParse_WhatIsNoName_GivesNull(string text) => Assert.Null(ImageReference.TryParse(text));

    [Fact]
    public void Pin_NamesTheContent_WhateverTheTag()
    {
        var other = "sha256:" + new string('b', 64);
        var image = ImageReference.TryParse("nginx:1.27")!;

        Assert.Equal("docker.io/library/nginx:1.27-aaaaaaaaaaaa", image.Pin(Digest).ToString());
        Assert.NotEqual(image.Pin(Digest), image.Pin(other));
        Assert.Equal("docker.io/library/nginx:digest-bbbbbbbbbbbb", ImageReference.TryParse($"nginx@{Digest}")!.Pin(other).ToString());
    }

    [Fact]
    public void Pin_OfTheLongestTag_IsStillATag()
    {
        var pinned = ImageReference.TryParse($"nginx:{new string('t', 128)}")!.Pin(Digest);

        Assert.Equal(pinned, ImageReference.TryParse(pinned.ToString()));
        Assert.Equal(128, pinned.Tag!.Length);
    }
}
