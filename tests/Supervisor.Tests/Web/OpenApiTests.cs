using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.Supervisor.Service;
using Appliance.Supervisor.Web;
using Microsoft.AspNetCore.Routing;

namespace Supervisor.Tests.Web;

/// <summary>The description of the HTTP surface, against the surface.</summary>
public sealed class OpenApiTests : IAsyncLifetime
{
    private DaemonScene _scene = null!;
    private JsonNode _description = null!;

    public async ValueTask InitializeAsync()
    {
        _scene = await DaemonScene.PrepareAsync();
        await _scene.StartAsync();
        _description = await _scene.GetAsync("/api/v1/openapi.json");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Fact]
    public void EveryRoute_IsDescribed_AndNoOther()
    {
        var routes = _scene.Service<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.RoutePattern.RawText!.StartsWith("/api/", StringComparison.Ordinal))
            .SelectMany(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Where(method => method != "HEAD").Select(method => $"{method} {endpoint.RoutePattern.RawText}"));
        var described = _description["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation => $"{operation.Key.ToUpperInvariant()} {path.Key}"));

        Assert.Equal(routes.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void EverySchema_HasTheMembersOfItsType()
    {
        var schemas = _description["components"]!["schemas"]!.AsObject();
        foreach (var (name, schema) in schemas)
        {
            var type = typeof(DeviceStatus).Assembly.GetTypes().Single(type => type.Name == name);
            var members = StatusJson.Default.GetTypeInfo(type)!.Properties.Select(property => property.Name).Order(StringComparer.Ordinal);
            Assert.Equal(members, schema!["properties"]!.AsObject().Select(property => property.Key).Order(StringComparer.Ordinal));
        }
    }

    /// <summary>The state is made of what is on the bus, and has no type of its own.</summary>
    [Fact]
    public void TheState_HasTheMembersThatAreDescribed()
    {
        var state = _scene.Service<SupervisorObject>().Read();
        var described = _description["paths"]!["/api/v1/state"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!["schema"]!["properties"]!.AsObject();

        Assert.Equal(state.Select(member => $"{member.Key}: {Kind(member.Value)}").Order(StringComparer.Ordinal), described.Select(property => $"{property.Key}: {property.Value!["type"]}").Order(StringComparer.Ordinal));

        static string Kind(JsonNode? node) => node!.GetValueKind() switch
        {
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Number => "integer",
            var other => other.ToString().ToLowerInvariant(),
        };
    }

    [Fact]
    public void WhatIsReferredTo_IsThere()
    {
        var schemas = _description["components"]!["schemas"]!.AsObject();
        Assert.All(References(_description), reference => Assert.True(schemas.ContainsKey(reference["#/components/schemas/".Length..]), reference));
    }

    private static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject bag => bag.SelectMany(member => member.Key == "$ref" ? [(string)member.Value!] : References(member.Value)),
        JsonArray list => list.SelectMany(References),
        _ => [],
    };
}
