using Appliance.Core;
using Appliance.Core.Updates;
using Appliance.Supervisor.Device;

namespace Supervisor.Tests.Device;

public sealed class ImageSettingsTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("settings");

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public void WhatTheFileLacks_HasItsDefault()
    {
        Write("""{ "url": "https://updates.example.net/edge" }""");

        var settings = ImageSettings.ReadUpdates(_root.FullName);

        Assert.Equal(new UpdateSettings { Url = "https://updates.example.net/edge", Windows = settings.Windows }, settings);
        Assert.Empty(settings.Windows);
        Assert.Equal(TimeSpan.FromHours(1), settings.Check);
    }

    [Fact]
    public void AFileThatCannotBeUsed_IsNamed()
    {
        Write("{ \"chanel\": 1 }");

        Assert.Contains(UpdateSettings.SettingsPath, Assert.Throws<UserError>(() => ImageSettings.ReadUpdates(_root.FullName)).Message, StringComparison.Ordinal);
    }

    private void Write(string json)
    {
        var path = Path.Join(_root.FullName, UpdateSettings.SettingsPath);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, json);
    }
}
