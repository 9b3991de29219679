using Appliance.Core;
using Appliance.UpdateClient.Install;

namespace UpdateClient.Tests.Install;

public sealed class InstallTests : IDisposable
{
    private readonly UpdateScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task Install_TheWholePayload_FillsTheSlot()
    {
        await _scene.PublishVersionAsync("1.1");

        var result = await _scene.InstallAsync();

        _scene.AssertInstalled("1.1");
        Assert.Equal("1.1", result.Version);
        Assert.Empty(result.Warnings);
    }
}
