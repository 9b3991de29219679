using System.Diagnostics;
using System.Runtime.InteropServices;
using Appliance.ImageBuilder.Tools;
using Docker.DotNet;
using Docker.DotNet.Models;

namespace Appliance.SystemTests;

/// <summary>Builds in containers of real engines. Cold ones take minutes; those of a test share the engine's volume.</summary>
public sealed class ContainerBuildTests(ContainerEngineFixture engines) : IDisposable
{
    private const string Cache = "appliance-test";
    private readonly string _folder = Directory.CreateTempSubdirectory("container-build").FullName;

    private string Output => Path.Combine(_folder, "out");

    private static string DefaultDefinition => Path.Combine(Product.Root, "image", "appliance.yaml");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory(Explicit = true)]
    [InlineData("docker")]
    [InlineData("podman")]
    public async Task ABuildInAContainer_MakesTheSameBytesAsOneOnTheHost_AndAnotherHasNothingToDo(string engine)
    {
        var address = await engines.StartAsync(engine);
        var first = await BuildAsync(address, DefaultDefinition, "--builder", await engines.BuilderAsync(), "--cache", Cache);
        Assert.True(first.ExitCode == 0, first.Errors);
        // The engine knows the image now, so that it need not be named.
        var second = await BuildAsync(address, DefaultDefinition, "--cache", Cache);

        Assert.True(second.ExitCode == 0, second.Errors);
        Assert.Contains("\"upToDate\":true", second.Output, StringComparison.Ordinal);
        var name = Path.GetFileName(Product.Image);
        Assert.Equal([$"{name}.bundle", "build.json", "disk.img", "disk.img.bmap", "disk.img.zst", "sbom.cdx.json"], Directory.GetFiles(Path.Combine(Output, name)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var file in new[] { "disk.img", "disk.img.zst", "disk.img.bmap", "sbom.cdx.json", $"{name}.bundle" })
            await ToolRunner.RunAsync("cmp", [Path.Combine(Product.Image, file), Path.Combine(Output, name, file)]);
        Assert.Empty(await ContainersAsync(address));
    }

    [Theory(Explicit = true)]
    [InlineData("docker")]
    [InlineData("podman")]
    public async Task AnInterruptedBuild_LeavesNoContainerAndNoResults(string engine)
    {
        var address = await engines.StartAsync(engine);
        using var build = await StartColdBuildAsync(address);

        using (var interrupt = Process.Start("kill", ["-INT", $"{build.Id}"])) await interrupt.WaitForExitAsync(TestContext.Current.CancellationToken);
        var (exitCode, errors) = await EndAsync(build);

        Assert.Equal(130, exitCode);
        Assert.Contains("Interrupted", errors, StringComparison.Ordinal);
        Assert.Empty(await ContainersAsync(address));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Output));
    }

    [Theory(Explicit = true)]
    [InlineData("docker")]
    [InlineData("podman")]
    public async Task WhatAKilledBuildLeaves_TheNextOneRemoves(string engine)
    {
        var address = await engines.StartAsync(engine);
        using (var build = await StartColdBuildAsync(address))
        {
            build.Kill();
            await EndAsync(build);
        }
        var left = Assert.Single(await ContainersAsync(address));
        Assert.Equal("running", left.State);

        // An image that is no builder: the leftover is removed before that is found out.
        var next = await BuildAsync(address, DefaultDefinition, "--builder", "no-such-image");

        Assert.Equal(2, next.ExitCode);
        Assert.Contains($"has left the container {left.ID[..12]}", next.Output, StringComparison.Ordinal);
        Assert.Contains("has no image no-such-image, and builder images are never pulled", next.Errors, StringComparison.Ordinal);
        Assert.Empty(await ContainersAsync(address));
    }

    [Fact(Explicit = true)]
    public async Task AMistakeThatTheContainerFinds_IsShownWithThisMachinesPaths_AndItsExitCode()
    {
        var address = await engines.StartAsync("docker");
        var component = Path.Combine(_folder, "k3s");
        await File.WriteAllTextAsync(component, "not k3s", TestContext.Current.CancellationToken);

        var build = await BuildAsync(address, DefaultDefinition, "--builder", await engines.BuilderAsync(), "--component", $"k3s={component}", "--cache", Cache);

        Assert.Equal(2, build.ExitCode);
        Assert.StartsWith("error: ", build.Errors, StringComparison.Ordinal);
        Assert.Contains(component, build.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("/work/", build.Errors, StringComparison.Ordinal);
        Assert.Empty(await ContainersAsync(address));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Output));
    }

    /// <summary>The emulator is the kernel's, and the compiler the builder's.</summary>
    [Fact(Explicit = true)]
    public async Task AnImageForAnotherArchitecture_ComesOutOfAContainerAsWell()
    {
        Assert.SkipWhen(RuntimeInformation.OSArchitecture == Architecture.Arm64, "this machine is arm64");
        const int aarch64 = 183; // EM_AARCH64
        var definition = Path.Combine(_folder, "edge.yaml");
        await File.WriteAllTextAsync(definition, "id: edge\nversion: 1.0\nsuite: trixie\nboard: uefi-arm64\nsourceDate: 2026-11-01\noverlays: [overlays/base, overlays/supervisor]\nsizes: { esp: 256MiB, slot: 768MiB, data: 128MiB }\n", TestContext.Current.CancellationToken);

        var build = await BuildAsync(await engines.StartAsync("docker"), definition, "--builder", await engines.BuilderAsync(), "--cache", Cache);

        Assert.True(build.ExitCode == 0, build.Errors);
        await using var root = await MountedRoot.MountAsync(Path.Combine(Output, "edge_1.0_arm64", "disk.img"), 2, Path.Combine(_folder, "root"));
        foreach (var program in new[] { "usr/lib/appliance/appliance-supervisor", "usr/lib/systemd/systemd" })
            Assert.Equal(aarch64, BitConverter.ToUInt16(await File.ReadAllBytesAsync(Path.Combine(root.Folder, program), TestContext.Current.CancellationToken), 18));
    }

    private async Task<Process> StartColdBuildAsync(string address)
    {
        var build = Product.Start("build", DefaultDefinition, "--output", Output, "--container", "--engine", address, "--network", "host", "--json",
            "--builder", await engines.BuilderAsync(), "--cache", $"cold-{Guid.NewGuid():N}");
        // In the middle of the base tree.
        while (await build.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            if (line.Contains("\"event\":\"output\",\"stage\":\"base\"", StringComparison.Ordinal)) break;
        Assert.NotEmpty(await ContainersAsync(address));
        return build;
    }

    private static async Task<(int ExitCode, string Errors)> EndAsync(Process build)
    {
        var rest = build.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await build.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await build.WaitForExitAsync(TestContext.Current.CancellationToken);
        await rest;
        return (build.ExitCode, errors);
    }

    private Task<(int ExitCode, string Output, string Errors)> BuildAsync(string address, string definition, params string[] more) =>
        Product.RunAsync(["build", definition, "--output", Output, "--container", "--engine", address, "--network", "host", "--json", .. more]);

    private static async Task<IList<ContainerListResponse>> ContainersAsync(string address)
    {
        using var client = new DockerClientBuilder().WithEndpoint(new Uri(address)).Build();
        return await client.Containers.ListContainersAsync(new ContainersListParameters { All = true }, TestContext.Current.CancellationToken);
    }
}
