<#
.SYNOPSIS
    Opens the master's own firewall for its workers: once, as administrator.

.DESCRIPTION
    The workers' ranks connect to rank 0 on the master, at the rendezvous port and at ports that the system chooses.
    This opens both for the workers' addresses only, and nothing else. Every change is written to a journal with its
    old value first, so that -Undo puts everything back. -WhatIf shows what would be changed, and changes nothing.

.PARAMETER WorkerIPs
    Addresses of the workers.

.PARAMETER Rest
    Not to be named. Addresses that stood without quotes after -WorkerIPs, as in: -WorkerIPs 192.168.1.101, 192.168.1.102

.PARAMETER DataFolder
    Where the journal is kept: a new or empty folder. Later runs find it without this.

.PARAMETER Undo
    Puts back everything that earlier runs of this script changed on this machine.

.EXAMPLE
    powershell -NoProfile -ExecutionPolicy Bypass -File scripts\master_setup.ps1 -WorkerIPs "192.168.1.101,192.168.1.102"
#>
[CmdletBinding(SupportsShouldProcess = $true, PositionalBinding = $false)]
param(
    [AllowNull()]
    [string[]]$WorkerIPs = @(),
    [string]$DataFolder = '',
    [switch]$Undo,
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$Rest = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSDefaultParameterValues = @{}

$Role = 'master_setup'
$Given = $PSBoundParameters

# Copied without its folder, a script has none of the functions below.
trap {
    if ($null -eq (Get-Command -Name 'Get-AddressList' -ErrorAction SilentlyContinue)) {
        throw 'This script needs the folder "setup" beside it. Copy the whole folder "scripts".'
    }
    break
}

. (Join-Path $PSScriptRoot 'setup\say.ps1')
. (Join-Path $PSScriptRoot 'setup\guard.ps1')
. (Join-Path $PSScriptRoot 'setup\native.ps1')
. (Join-Path $PSScriptRoot 'setup\journal.ps1')
. (Join-Path $PSScriptRoot 'setup\firewall.ps1')
. (Join-Path $PSScriptRoot 'setup\system.ps1')

# What this script may change, in one place: a test holds it against what dtui's preflight expects.
$EffectsJson = @'
{
  "firewall": [
    {"name": "dtui-master-rendezvous", "protocol": "TCP", "ports": "29500-29504", "purpose": "rendezvous"},
    {"name": "dtui-master-ranks", "protocol": "TCP", "ports": "dynamic", "purpose": "ranks among each other"},
    {"name": "dtui-master-ping", "protocol": "ICMPv4", "ports": "", "purpose": "ping"},
    {"name": "dtui-master-ping6", "protocol": "ICMPv6", "ports": "", "purpose": "ping by IPv6"}
  ]
}
'@

function Get-Effects {
    return ($EffectsJson | ConvertFrom-Json)
}

function Get-JournalPath {
    return (Join-Path $DataFolder "$Role.journal.jsonl")
}

function Show-Checks {
    # Returns whether all is well.
    param([Parameter(Mandatory = $true)][object[]]$Rules)
    $results = @()
    try {
        $results += @(Get-FirewallChecks -Rules $Rules)
    } catch {
        $results += [pscustomobject]@{ ok = $false; text = "the checks could not be made: $(Get-ErrorText $_)" }
    }
    foreach ($result in $results) {
        Write-Result -Good $result.ok -Text $result.text
    }
    return (@($results | Where-Object { -not $_.ok }).Count -eq 0)
}

function Invoke-MasterSetup {
    Assert-Host -Given $Given -Script $PSCommandPath
    $DataFolder = Resolve-DataFolder -Given $DataFolder
    if ($Undo) {
        Write-Step 'Putting back what this script changed'
        Invoke-Undo
        Remove-RestOfGroup -Journals (Get-AllJournals)
        return
    }
    Assert-AddressesOnly -Rest $Rest
    $workers = @(Get-AddressList -Given (@($WorkerIPs) + @($Rest)))
    if ($workers.Count -eq 0) {
        throw 'Name the workers: -WorkerIPs "192.168.1.101,192.168.1.102". The firewall admits only these.'
    }
    $rules = @(Get-PlannedRules -Rules (Get-Effects).firewall -From $workers)
    Assert-Firewall
    Initialize-DataFolder -Path $DataFolder
    try {
        Write-Step "Firewall, from $($workers -join ', ') only"
        foreach ($rule in $rules) {
            Set-ClusterRule -Rule $rule -From $rule.from
        }
    } catch {
        throw (Get-FailureText $_)
    }
    if ($WhatIfPreference) {
        Write-Note 'this was a look ahead: nothing was changed, and the checks are made by a real run.'
        return
    }
    Write-Step 'Checks'
    if (-not (Show-Checks -Rules $rules)) {
        Write-Host 'Something above is red: put it right and run this again. What is done is not done twice; -Undo takes it all back.' -ForegroundColor Yellow
        exit 1
    }
}

# Dot-sourced, the functions can be looked at and tried one by one.
if ($MyInvocation.InvocationName -ne '.') {
    Invoke-MasterSetup
}
