<#
.SYNOPSIS
    Opens the master's own firewall for its workers: once, as administrator.

.DESCRIPTION
    The workers' ranks connect to rank 0 on the master, at the rendezvous port and at ports that the system chooses.
    This opens both for the workers' addresses only, and nothing else. Every change is written to a journal with its
    old value first, so that -Undo puts everything back. -WhatIf shows what would be changed, and changes nothing.

.PARAMETER WorkerIPs
    Addresses of the workers.

.PARAMETER DataFolder
    Where the journal is kept.

.PARAMETER Undo
    Puts back everything that earlier runs of this script changed on this machine.

.EXAMPLE
    powershell -ExecutionPolicy Bypass -File scripts\master_setup.ps1 -WorkerIPs "192.168.1.101,192.168.1.102"
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string[]]$WorkerIPs = @(),
    [string]$DataFolder = (Join-Path $env:ProgramData 'dtui'),
    [switch]$Undo
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

. (Join-Path $PSScriptRoot 'setup\say.ps1')
. (Join-Path $PSScriptRoot 'setup\guard.ps1')
. (Join-Path $PSScriptRoot 'setup\native.ps1')
. (Join-Path $PSScriptRoot 'setup\journal.ps1')
. (Join-Path $PSScriptRoot 'setup\firewall.ps1')

# What this script may change, in one place: a test holds it against what dtui's preflight expects.
$EffectsJson = @'
{
  "firewall": [
    {"name": "dtui-rendezvous", "protocol": "TCP", "ports": "29500-29504", "purpose": "rendezvous"},
    {"name": "dtui-ranks", "protocol": "TCP", "ports": "dynamic", "purpose": "ranks among each other"},
    {"name": "dtui-ping", "protocol": "ICMPv4", "ports": "", "purpose": "ping"}
  ]
}
'@

function Get-Effects {
    return ($EffectsJson | ConvertFrom-Json)
}

function Get-JournalPath {
    return (Join-Path $DataFolder 'master_setup.journal.jsonl')
}

function Show-Checks {
    # Returns whether all is well.
    $good = $true
    foreach ($rule in (Get-Effects).firewall) {
        $open = (Get-RuleState -Name $rule.name) -eq 'True'
        Write-Result -Good $open -Text "firewall rule $($rule.name) $($rule.ports) for the workers"
        $good = $good -and $open
    }
    return $good
}

function Invoke-MasterSetup {
    Assert-Administrator
    Initialize-DataFolder -Path $DataFolder
    if ($Undo) {
        Write-Step 'Putting back what this script changed'
        Invoke-Undo
        Remove-RestOfGroup -Journals (Get-AllJournals)
        return
    }
    $workers = @(Get-AddressList -Given $WorkerIPs)
    if ($workers.Count -eq 0) {
        throw 'Name the workers: -WorkerIPs 192.168.1.101,192.168.1.102. The firewall lets in these and nobody else.'
    }
    Write-Step "Firewall, from $($workers -join ', ') only"
    foreach ($rule in (Get-Effects).firewall) {
        Set-ClusterRule -Rule $rule -From $workers
    }
    Write-Step 'Checks'
    $good = Show-Checks
    if (-not $good -and -not $WhatIfPreference) {
        exit 1
    }
}

# Dot-sourced, the functions can be looked at and tried one by one.
if ($MyInvocation.InvocationName -ne '.') {
    Invoke-MasterSetup
}
