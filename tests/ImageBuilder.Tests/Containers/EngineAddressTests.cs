using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;
using Appliance.ImageBuilder.Containers;

namespace ImageBuilder.Tests.Containers;

public sealed class EngineAddressTests : IDisposable
{
    private readonly Temporary _home = new();

    public void Dispose() => _home.Dispose();

    private EngineSurroundings Surroundings(params (string Name, string Value)[] variables) =>
        new() { Environment = name => variables.FirstOrDefault(variable => variable.Name == name).Value, Home = _home.Folder, IsWindows = false, IsMac = false };

    [Fact]
    public void OnLinux_TheSocketsOfDockerAndPodmanAreTried_ThoseOfTheUserToo()
    {
        var candidates = EngineAddress.Candidates(null, Surroundings(("XDG_RUNTIME_DIR", "/run/user/1000")));

        Assert.Equal(["/var/run/docker.sock", "/run/user/1000/docker.sock", "/run/user/1000/podman/podman.sock", "/run/podman/podman.sock"], candidates.Select(candidate => candidate.Socket));
        Assert.All(candidates, candidate => Assert.False(candidate.IsChosen));
    }

    [Fact]
    public void OnMacAndWindows_TheDesktopsAreTried()
    {
        var mac = new EngineSurroundings { Environment = name => name == "TMPDIR" ? "/var/folders/x/T/" : null, Home = "/Users/anna", IsWindows = false, IsMac = true };
        var windows = new EngineSurroundings { Environment = _ => null, Home = _home.Folder, IsWindows = true, IsMac = false };

        Assert.Equal(["/Users/anna/.docker/run/docker.sock", "/var/run/docker.sock", "/Users/anna/.colima/default/docker.sock", "/Users/anna/.rd/docker.sock", "/var/folders/x/T/podman/podman-machine-default-api.sock", "/Users/anna/.local/share/containers/podman/machine/podman.sock"],
            EngineAddress.Candidates(null, mac).Select(candidate => candidate.Socket));
        Assert.Equal(["npipe://./pipe/docker_engine", "npipe://./pipe/podman-machine-default"], EngineAddress.Candidates(null, windows).Select(candidate => candidate.ToString()));
    }

    [Theory]
    [InlineData("unix:///a.sock", "--engine", "unix:///a.sock", "unix:///b.sock")]
    [InlineData("/a.sock", "--engine", "unix:///a.sock", "")]
    [InlineData(null, "DOCKER_HOST", "unix:///b.sock", "unix:///b.sock")]
    public void WhatSomebodyChose_IsTheOnlyOne(string? given, string origin, string expected, string dockerHost)
    {
        var candidate = Assert.Single(EngineAddress.Candidates(given, Surroundings(("DOCKER_HOST", dockerHost), ("CONTAINER_HOST", "unix:///c.sock"))));

        Assert.Equal((new Uri(expected), origin, true), (candidate.Uri, candidate.Origin, candidate.IsChosen));
    }

    [Fact]
    public void DockersContext_IsFollowed()
    {
        var folder = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("colima")));
        Directory.CreateDirectory(_home[$".docker/contexts/meta/{folder}"]);
        _home.Write(".docker/config.json", """{"currentContext":"colima"}""");
        _home.Write($".docker/contexts/meta/{folder}/meta.json", """{"Name":"colima","Endpoints":{"docker":{"Host":"unix:///somewhere/colima.sock"}}}""");

        var candidate = Assert.Single(EngineAddress.Candidates(null, Surroundings()));

        Assert.Equal("/somewhere/colima.sock", candidate.Socket);
        Assert.Contains("colima", candidate.Origin, StringComparison.Ordinal);
    }

    [Fact]
    public void AContextThatIsNotThere_IsAMistake()
    {
        var error = Assert.Throws<UserError>(() => EngineAddress.Candidates(null, Surroundings(("DOCKER_CONTEXT", "gone"))));

        Assert.Contains("gone", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ssh://anna@build.example", "ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock anna@build.example")]
    [InlineData("ftp://build.example", "unix:///run/podman/podman.sock")]
    [InlineData("somewhere", "unix:///run/podman/podman.sock")]
    public void AddressesThatCannotBeUsed_AreRefusedWithTheWayOut(string address, string hint)
    {
        var error = Assert.Throws<UserError>(() => EngineAddress.Candidates(null, Surroundings(("DOCKER_HOST", address))));

        Assert.Contains(address, error.Message, StringComparison.Ordinal);
        Assert.Contains(hint, error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhereNoEngineAnswers_ItSaysWhatWasTried()
    {
        // One socket is not there; behind the other nobody listens any more.
        Directory.CreateDirectory(_home["podman"]);
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)) dead.Bind(new UnixDomainSocketEndPoint(_home["podman/podman.sock"]));
        if (!File.Exists(_home["podman/podman.sock"])) await File.WriteAllTextAsync(_home["podman/podman.sock"], "", TestContext.Current.CancellationToken);

        var error = await Assert.ThrowsAsync<UserError>(() => ContainerEngine.ConnectAsync($"unix://{_home["podman/podman.sock"]}", Surroundings(), TestContext.Current.CancellationToken));
        var none = await Assert.ThrowsAsync<UserError>(() => ContainerEngine.ConnectAsync($"unix://{_home["none.sock"]}", Surroundings(), TestContext.Current.CancellationToken));

        Assert.Contains($"{_home["podman/podman.sock"]} (--engine): Connection refused", error.Message, StringComparison.Ordinal);
        Assert.Contains($"{_home["none.sock"]} (--engine): not there", none.Message, StringComparison.Ordinal);
        Assert.Contains("podman.socket", none.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnEngineOfWindowsContainers_IsNotUsed()
    {
        // Docker Desktop can be switched to them; none of these runs on Linux, so this answers as one.
        using var server = new HttpListener();
        var port = FreePort();
        server.Prefixes.Add($"http://127.0.0.1:{port}/");
        server.Start();
        var answering = Task.Run(async () =>
        {
            var asked = await server.GetContextAsync();
            asked.Response.ContentType = "application/json";
            asked.Response.Close("""{"Os":"windows","Arch":"amd64","Version":"28.0"}"""u8.ToArray(), willBlock: true);
        }, TestContext.Current.CancellationToken);

        var error = await Assert.ThrowsAsync<UserError>(() => ContainerEngine.ConnectAsync($"tcp://127.0.0.1:{port}", Surroundings(), TestContext.Current.CancellationToken));
        await answering;

        Assert.Contains("switch it to Linux containers", error.Message, StringComparison.Ordinal);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
