using Appliance.Core;
using Appliance.ImageBuilder.Packages;

namespace ImageBuilder.Tests.Packages;

public sealed class PackageLockTests : IDisposable
{
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    private static PackageInventory Inventory(params string[] packages) =>
        new(packages.Select(text => text.Split(' ')).Select(p => new DebianPackage(p[0], p[1], "amd64", p[0], new string('a', 64), 1)).ToList());

    private static Dictionary<string, PackageInventory> Trees(PackageInventory inventory) => new() { ["base"] = inventory };

    [Fact]
    public void Require_WhatWasWritten_IsAccepted()
    {
        var inventory = Inventory("apt 1:2.3~rc1", "libc6 2.41-12+deb13u1");
        PackageLock.Write(_folder["x.lock.yaml"], "amd64", Trees(inventory));

        PackageLock.Require(_folder["x.lock.yaml"], "amd64", "base", inventory);
    }

    [Fact]
    public void Require_AnotherVersion_ListsBothSides()
    {
        PackageLock.Write(_folder["x.lock.yaml"], "amd64", Trees(Inventory("apt 1.0", "bash 5")));

        var error = Assert.Throws<UserError>(() => PackageLock.Require(_folder["x.lock.yaml"], "amd64", "base", Inventory("apt 1.1", "bash 5")));

        Assert.Contains("+ apt 1.1", error.Message, StringComparison.Ordinal);
        Assert.Contains("- apt 1.0", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("bash", error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.Hint);
    }

    [Fact]
    public void Require_WithoutALock_SaysHowToMakeOne()
    {
        var error = Assert.Throws<UserError>(() => PackageLock.Require(_folder["x.lock.yaml"], "amd64", "base", Inventory("a 1")));

        Assert.Contains("does not exist", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_AnotherArchitecture_LeavesTheFirstAlone()
    {
        PackageLock.Write(_folder["x.lock.yaml"], "amd64", Trees(Inventory("a 1")));
        PackageLock.Write(_folder["x.lock.yaml"], "arm64", Trees(Inventory("b 2")));

        PackageLock.Require(_folder["x.lock.yaml"], "amd64", "base", Inventory("a 1"));
        PackageLock.Require(_folder["x.lock.yaml"], "arm64", "base", Inventory("b 2"));
    }

    [Fact]
    public void Read_JoinsStatusAndIndex()
    {
        Directory.CreateDirectory(_folder["lists"]);
        _folder.Write("status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nSource: src (1.0)\nInstalled-Size: 7\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n");
        _folder.Write("lists/x_Packages", "Package: a\nVersion: 1\nArchitecture: amd64\nSHA256: abc\nDescription: x\n more: text\n");

        var package = Assert.Single(PackageInventory.Read(_folder.Folder).Packages);

        Assert.Equal(new DebianPackage("a", "1", "amd64", "src", "abc", 7), package);
    }

    [Fact]
    public void Read_APackageThatTheIndexLacks_IsRefused()
    {
        Directory.CreateDirectory(_folder["lists"]);
        _folder.Write("status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n");
        _folder.Write("lists/x_Packages", "Package: a\nVersion: 2\nArchitecture: amd64\nSHA256: abc\n");

        Assert.Throws<InvalidDataException>(() => PackageInventory.Read(_folder.Folder));
    }
}
